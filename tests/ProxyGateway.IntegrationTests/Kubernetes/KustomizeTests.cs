using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using k8s;
using k8s.Models;
using ProxyGateway.IntegrationTests.CommandLine;

namespace ProxyGateway.IntegrationTests.Kubernetes;

/// <summary>What Kustomize makes of <c>config/kubernetes</c>: known fields alone, pods without rights, and settings that the gateway takes.</summary>
public sealed class KustomizeTests : IDisposable
{
    private const string Password = "password-of-redis";

    private readonly DirectoryInfo _copy = Directory.CreateTempSubdirectory("proxygateway-kustomize-");

    public KustomizeTests()
    {
        string source = Path.Combine(Root(), "config", "kubernetes");
        foreach (string file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(_copy.FullName, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        string secrets = Directory.CreateDirectory(Path.Combine(_copy.FullName, "overlays", "standalone", "secrets")).FullName;
        File.WriteAllText(Path.Combine(secrets, "redis.conf"), $"requirepass {Password}\n");
        File.WriteAllText(
            Path.Combine(secrets, "appsettings.Production.json"), $$"""{ "Registry": { "Redis": { "Configuration": "127.0.0.1:1,password={{Password}}" } } }""");
    }

    public void Dispose() => _copy.Delete(recursive: true);

    [KubectlFact]
    public async Task The_gateway_of_a_sidecar_starts_before_the_agent_and_its_pod_is_all_that_a_policy_opens()
    {
        object[] built = await BuildAsync("overlays/sidecar");

        V1PodTemplateSpec pod = ShouldBeRestricted(built).ShouldHaveSingleItem();
        V1Container gateway = pod.Spec.InitContainers.ShouldHaveSingleItem();
        gateway.RestartPolicy.ShouldBe("Always");
        ShouldBeProbedWithoutAKey(gateway);
        pod.Spec.Containers.ShouldHaveSingleItem().Ports.ShouldBeNull("the agent has no port of the pod");
        V1NetworkPolicy policy = built.OfType<V1NetworkPolicy>().ShouldHaveSingleItem();
        policy.Spec.PodSelector.MatchLabels.ShouldBe(pod.Metadata.Labels);
        policy.Spec.Ingress.ShouldHaveSingleItem().Ports.ShouldHaveSingleItem().Port.Value.ShouldBe("8080");
        built.OfType<V1PodDisruptionBudget>().ShouldHaveSingleItem().Spec.Selector.MatchLabels.ShouldBe(pod.Metadata.Labels);
        built.OfType<V1Service>().ShouldHaveSingleItem().Spec.Selector.ShouldBe(pod.Metadata.Labels);
        await ShouldStartAsync(built);
    }

    [KubectlFact]
    public async Task Several_gateways_share_a_Redis_that_they_alone_reach_and_whose_password_is_in_secrets_alone()
    {
        object[] built = await BuildAsync("overlays/standalone");

        IReadOnlyList<V1PodTemplateSpec> pods = ShouldBeRestricted(built);
        V1Deployment gateways = built.OfType<V1Deployment>().ShouldHaveSingleItem();
        gateways.Spec.Replicas!.Value.ShouldBeGreaterThan(1);
        ShouldBeProbedWithoutAKey(gateways.Spec.Template.Spec.Containers.ShouldHaveSingleItem());
        V1PodDisruptionBudget budget = built.OfType<V1PodDisruptionBudget>().ShouldHaveSingleItem();
        budget.Spec.MinAvailable.Value.ShouldBe("2");
        budget.Spec.Selector.MatchLabels.ShouldBe(gateways.Spec.Template.Metadata.Labels);
        V1NetworkPolicy[] policies = [.. built.OfType<V1NetworkPolicy>()];
        policies.ShouldAllBe(p => p.Spec.PodSelector.MatchLabels.Count > 0);
        foreach (V1PodTemplateSpec pod in pods)
            policies.ShouldContain(p => p.Spec.PodSelector.MatchLabels.SequenceEqual(pod.Metadata.Labels));
        V1NetworkPolicy redis = policies.Single(p => p.Metadata.Name == "redis");
        redis.Spec.Ingress.ShouldHaveSingleItem().FromProperty.ShouldHaveSingleItem().PodSelector.MatchLabels.ShouldBe(gateways.Spec.Template.Metadata.Labels);
        built.OfType<V1ConfigMap>().SelectMany(m => m.Data.Values).ShouldAllBe(text => !text.Contains(Password, StringComparison.Ordinal));
        pods.SelectMany(p => p.Spec.Containers).SelectMany(c => c.Env ?? []).ShouldAllBe(v => v.ValueFrom == null && !v.Value.Contains(Password));
        await ShouldStartAsync(built);
    }

    [KubectlFact]
    public async Task Metrics_leave_the_pod_by_https_for_a_key_from_a_secret()
    {
        string overlay = Directory.CreateDirectory(Path.Combine(_copy.FullName, "overlays", "monitored")).FullName;
        await File.WriteAllTextAsync(
            Path.Combine(overlay, "kustomization.yaml"),
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../standalone]\ncomponents: [../../components/monitoring]\n");

        object[] built = await BuildAsync("overlays/monitored");

        V1Container gateway = built.OfType<V1Deployment>().ShouldHaveSingleItem().Spec.Template.Spec.Containers.ShouldHaveSingleItem();
        gateway.Env.ShouldContain(v => v.Name == "Admin__Url" && v.Value.StartsWith("https://"));
        gateway.Ports.Select(p => p.Name).ShouldBe(["gateway", "operators"], ignoreOrder: true);
        gateway.VolumeMounts.Count.ShouldBe(3);
        ShouldBeProbedWithoutAKey(gateway);
        OperatorResource monitor = built.OfType<OperatorResource>().Single(r => r.Kind == "ServiceMonitor");
        Dictionary<object, object> endpoint = monitor.Spec["endpoints"].ShouldBeOfType<List<object>>().ShouldHaveSingleItem().ShouldBeOfType<Dictionary<object, object>>();
        endpoint["scheme"].ShouldBe("https");
        endpoint.Keys.ShouldContain("authorization");
    }

    // Any tenant of a cluster can call a pod prometheus, but not put it into another's namespace.
    [KubectlFact]
    public async Task Prometheus_alone_reaches_the_operators_port_from_one_namespace_that_the_overlay_names()
    {
        string file = Path.Combine(_copy.FullName, "overlays", "standalone", "kustomization.yaml");
        string overlay = (await File.ReadAllTextAsync(file)).Replace("  # - ../../components/monitoring", "  - ../../components/monitoring", StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, overlay);
        ShouldLetInPrometheus(await BuildAsync("overlays/standalone"), "monitoring");

        // What the example leaves to be uncommented.
        int from = overlay.IndexOf("# patches:", StringComparison.Ordinal);
        int until = overlay.IndexOf("images:", StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, overlay[..from] + overlay[(from + 2)..until].Replace("\n# ", "\n", StringComparison.Ordinal) + overlay[until..]);
        ShouldLetInPrometheus(await BuildAsync("overlays/standalone"), "observability");
    }

    private static void ShouldLetInPrometheus(object[] built, string expected)
    {
        V1NetworkPolicyIngressRule[] rules = [.. built.OfType<V1NetworkPolicy>().Single(p => p.Metadata.Name == "gateway").Spec.Ingress.Where(r => r.Ports.Any(p => p.Port.Value != "8080"))];
        V1NetworkPolicyPeer peer = rules.ShouldHaveSingleItem().FromProperty.ShouldHaveSingleItem();
        peer.NamespaceSelector.MatchLabels.ShouldBe(new Dictionary<string, string> { ["kubernetes.io/metadata.name"] = expected });
        peer.PodSelector.MatchLabels.ShouldBe(new Dictionary<string, string> { ["app.kubernetes.io/name"] = "prometheus" });
    }

    // The profile "restricted" of the Pod Security Standards; and every name of a map or secret is one that is there, or the user's own.
    private static List<V1PodTemplateSpec> ShouldBeRestricted(object[] built)
    {
        List<V1PodTemplateSpec> pods = [.. built.OfType<V1Deployment>().Select(d => d.Spec.Template), .. built.OfType<V1StatefulSet>().Select(s => s.Spec.Template)];
        foreach (V1PodSpec pod in pods.Select(p => p.Spec))
        {
            pod.AutomountServiceAccountToken.ShouldBe(false);
            pod.EnableServiceLinks.ShouldBe(false);
            pod.SecurityContext.RunAsNonRoot.ShouldBe(true);
            pod.SecurityContext.SeccompProfile.Type.ShouldBe("RuntimeDefault");
            foreach (V1Container container in pod.Containers.Concat(pod.InitContainers ?? []))
            {
                container.SecurityContext.AllowPrivilegeEscalation.ShouldBe(false);
                container.SecurityContext.Capabilities.Drop.ShouldBe(["ALL"]);
                (container.SecurityContext.RunAsUser ?? pod.SecurityContext.RunAsUser).ShouldNotBeNull().ShouldBeGreaterThan(0);
                if (container.Name != "agent")
                    container.SecurityContext.ReadOnlyRootFilesystem.ShouldBe(true);
            }

            foreach (V1Volume volume in pod.Volumes)
            {
                foreach (string map in (volume.Projected?.Sources.Select(s => s.ConfigMap?.Name) ?? []).Append(volume.ConfigMap?.Name).OfType<string>())
                    built.OfType<V1ConfigMap>().ShouldContain(m => m.Metadata.Name == map);
                foreach (string secret in (volume.Projected?.Sources.Select(s => s.Secret?.Name) ?? []).Append(volume.Secret?.SecretName).OfType<string>())
                    built.OfType<V1Secret>().ShouldContain(s => s.Metadata.Name == secret);
            }
        }

        return pods;
    }

    private static void ShouldBeProbedWithoutAKey(V1Container gateway)
    {
        foreach (V1Probe probe in new[] { gateway.StartupProbe, gateway.LivenessProbe, gateway.ReadinessProbe })
            probe.Exec.Command.Take(2).ShouldBe(["/app/proxygateway", "health"]);
        gateway.LivenessProbe.Exec.Command.ShouldContain("--live", "a registry that is away is no reason to restart the gateway");
        gateway.ReadinessProbe.Exec.Command.ShouldNotContain("--live");
        gateway.Ports.ShouldNotContain(p => p.ContainerPort == 9090);
    }

    private static async Task ShouldStartAsync(object[] built)
    {
        var program = new ProgramUnderTest();
        foreach ((string name, string text) in built.OfType<V1ConfigMap>().SelectMany(m => m.Data))
            await File.WriteAllTextAsync(Path.Combine(program.Folder, name), text.Replace("/gateway/data/", "data/", StringComparison.Ordinal));
        foreach ((string name, byte[] text) in built.OfType<V1Secret>().SelectMany(s => s.Data))
            await File.WriteAllBytesAsync(Path.Combine(program.Folder, name), text);
        RunningProgram gateway = program.StartServer("proxygateway.dll", "--Urls=http://127.0.0.1:0", "--Admin:Url=http://127.0.0.1:0");
        try
        {
            await gateway.PrintsAsync("Application started");
            Directory.Exists(Path.Combine(program.Folder, "data", "private")).ShouldBeTrue("the gateway makes a folder of its own in a volume that others may write to");
        }
        finally
        {
            await gateway.DisposeAsync();
            program.Delete();
        }
    }

    private async Task<object[]> BuildAsync(string overlay)
    {
        using var kubectl = Process.Start(new ProcessStartInfo("kubectl", ["kustomize", Path.Combine(_copy.FullName, overlay)])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        })!;
        Task<string> error = kubectl.StandardError.ReadToEndAsync();
        string output = await kubectl.StandardOutput.ReadToEndAsync();
        await kubectl.WaitForExitAsync();
        kubectl.ExitCode.ShouldBe(0, await error);
        (await error).ShouldBeEmpty("nothing is deprecated");
        var own = new Dictionary<string, Type>
        {
            ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(OperatorResource),
            ["monitoring.coreos.com/v1/PrometheusRule"] = typeof(OperatorResource),
        };
        return [.. KubernetesYaml.LoadAllFromString(output, own, strict: true)];
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));

    // A resource of the Prometheus operator, which Kubernetes itself does not know.
    private sealed class OperatorResource
    {
        public string ApiVersion { get; set; } = "";

        public string Kind { get; set; } = "";

        public V1ObjectMeta Metadata { get; set; } = new();

        public Dictionary<string, object> Spec { get; set; } = [];
    }
}
