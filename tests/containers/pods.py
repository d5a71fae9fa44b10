"""What podman 4 needs to play a pod that Kubernetes would run: it knows neither StatefulSets nor native sidecars, and gives volumes no group."""

import copy


def as_plain_pods(documents):
    """The same documents for `podman play kube`. Each StatefulSet becomes a pod of its template, each claim of it a claim, and a sidecar an ordinary container."""
    plain = []
    for document in documents:
        kind = document["kind"]
        if kind == "StatefulSet":
            name, spec = document["metadata"]["name"], copy.deepcopy(document["spec"])
            claims = spec.get("volumeClaimTemplates", [])
            plain += [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim_name(name, claim)}, "spec": claim["spec"]} for claim in claims]
            pod = spec["template"]
            pod["spec"].setdefault("volumes", []).extend(
                {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim_name(name, claim)}} for claim in claims
            )
            plain.append({"apiVersion": "v1", "kind": "Pod", "metadata": {**pod.get("metadata", {}), "name": name}, "spec": without_sidecars(pod["spec"])})
        elif kind in ("ConfigMap", "Pod"):
            plain.append(document)
    return plain


def claim_name(name, claim):
    return f"{claim['metadata']['name']}-{name}-0"


def without_sidecars(spec):
    sidecars = [container for container in spec.get("initContainers", []) if container.get("restartPolicy") == "Always"]
    others = [container for container in spec.get("initContainers", []) if container not in sidecars]
    plain = {key: value for key, value in spec.items() if key != "initContainers"}
    if others:
        plain["initContainers"] = others
    plain["containers"] = [{key: value for key, value in container.items() if key != "restartPolicy"} for container in sidecars] + spec["containers"]
    for container in plain["containers"]:
        # Without systemd podman cannot run probes by itself.
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(probe, None)
    return plain
