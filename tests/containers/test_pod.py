"""The pod of config/kubernetes/base/sidecar, as Kustomize builds it, played by podman."""

import json
import os
import shutil
import subprocess
import unittest

import yaml

from containers import AGENT_IMAGE, ENGINE, IMAGE, IS_PODMAN, PATIENCE, USER, ContainerTest, Device, address, engine, eventually, inspect, is_open, operate, run
from pods import as_plain_pods, without_sidecars

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../config/kubernetes")
AGENT_PORT = 18789
PORT = 18080


class PlainPodTests(unittest.TestCase):
    def test_a_native_sidecar_becomes_the_first_container_and_other_init_containers_stay(self):
        spec = {
            "securityContext": {"fsGroup": 1},
            "initContainers": [{"name": "once"}, {"name": "beside", "restartPolicy": "Always", "image": "x", "livenessProbe": {}}],
            "containers": [{"name": "main"}],
        }
        self.assertEqual(
            without_sidecars(spec),
            {"securityContext": {"fsGroup": 1}, "initContainers": [{"name": "once"}], "containers": [{"name": "beside", "image": "x"}, {"name": "main"}]},
        )

    def test_a_set_becomes_a_pod_with_its_claims(self):
        documents = [{
            "kind": "StatefulSet", "metadata": {"name": "a"},
            "spec": {"template": {"metadata": {"labels": {"l": "1"}}, "spec": {"containers": [{"name": "main"}]}},
                     "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]},
        }, {"kind": "Service"}]
        claim, pod = as_plain_pods(documents)
        self.assertEqual((claim["metadata"]["name"], claim["spec"]), ("data-a-0", {"accessModes": ["ReadWriteOnce"]}))
        self.assertEqual((pod["kind"], pod["metadata"]), ("Pod", {"labels": {"l": "1"}, "name": "a"}))
        self.assertEqual(pod["spec"]["volumes"], [{"name": "data", "persistentVolumeClaim": {"claimName": "data-a-0"}}])


@unittest.skipUnless(IS_PODMAN, "only podman plays pods")
@unittest.skipUnless(shutil.which("kubectl"), "there is no kubectl")
class PodTests(ContainerTest):
    def setUp(self):
        super().setUp()
        shutil.copytree(CONFIG, f"{self.folder}/kubernetes")
        overlay = f"{self.folder}/kubernetes/overlays/played"
        os.mkdir(overlay)
        images = [{"name": name, "newName": image, "newTag": "latest"} for name, image in (("proxygateway", IMAGE), ("agent", AGENT_IMAGE))]
        with open(f"{overlay}/kustomization.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump({
                "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": ["../../base/sidecar"], "images": images,
                # From outside the cluster a Service would lead to the pod.
                "patches": [{"target": {"kind": "StatefulSet"}, "patch": json.dumps([
                    {"op": "add", "path": f"/spec/template/spec/initContainers/0/{path}", "value": value} for path, value in (
                        ("ports/0/hostPort", PORT), ("ports/0/hostIP", "127.0.0.1"), ("env/-", {"name": "Telemetry__Prometheus", "value": "Keyed"}),
                    )
                ])}],
            }, file)
        documents = as_plain_pods(yaml.safe_load_all(run("kubectl", "kustomize", overlay)))
        self.pod = self.file("pod.yaml", "---\n".join(yaml.safe_dump(document) for document in documents))
        self.addCleanup(subprocess.run, [*ENGINE, "volume", "rm", "--force", "data-agent-0"], capture_output=True, check=False, timeout=PATIENCE * 2)
        self.addCleanup(subprocess.run, [*ENGINE, "pod", "rm", "--force", "--time", "1", "agent"], capture_output=True, check=False, timeout=PATIENCE * 2)
        engine("play", "kube", self.pod)
        eventually(lambda: operate("agent-gateway", "requests", "list"), "the gateway is ready")

    def test_devices_reach_the_agent_through_the_gateway_alone(self):
        device = Device(self.folder, "device")

        refused = device.connect(PORT)
        self.assertFalse(refused["admitted"])
        operate("agent-gateway", "requests", "approve", refused["requestId"])
        self.assertTrue(device.connect(PORT)["admitted"], "the agent of the pod has answered")

        inside = address(engine("pod", "inspect", "--format", "{{.InfraContainerID}}", "agent"))
        self.assertRegex(inside, r"^\d+\.")
        self.assertTrue(is_open(inside, 8080))
        self.assertFalse(is_open(inside, AGENT_PORT), "the agent's port is the pod's own")
        self.assertFalse(is_open(inside, 9090), "and so is the operators' port")
        self.assertFalse(is_open("127.0.0.1", AGENT_PORT))

        self.assertEqual(inspect("agent-gateway", "{{.Config.User}}").split(":")[0], str(USER))
        self.assertEqual(inspect("agent-gateway", "{{.HostConfig.ReadonlyRootfs}}"), "true")

        # On loopback the agent's own user alone needs no operator.
        connect = ["/app/proxygateway", "connect", "ws://127.0.0.1:8080", "--identity"]
        self.assertIn("admitted", engine("exec", "--user", "1000", "--workdir", "/dev/shm", "agent-gateway", *connect, "/dev/shm/own/device.json"))
        self.assertIn("pairing required", engine("exec", "agent-gateway", *connect, "/gateway/data/private/device.json", fails=True))

    def test_its_metrics_are_scraped_from_within_the_pod_with_a_key(self):
        with open(f"{engine('volume', 'inspect', '--format', '{{.Mountpoint}}', 'data-agent-0')}/private/admin.key", encoding="utf-8") as file:
            key = file.read().strip()

        self.assertIn("proxygateway_registry_freshness_age_seconds", self.scrape(key))
        self.assertIn("401", self.scrape("another-key-another-key-another-key-key", fails=True))

    def scrape(self, key, **options):
        ask = "import sys, urllib.request as u; print(u.urlopen(u.Request('http://127.0.0.1:9090/metrics', headers={'Authorization': 'Bearer ' + sys.argv[1]})).read().decode())"
        return run("nsenter", "--target", inspect("agent-gateway", "{{.State.Pid}}"), "--net", "/usr/bin/python3", "-c", ask, key, **options)


if __name__ == "__main__":
    unittest.main()
