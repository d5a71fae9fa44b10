using System.Diagnostics;
using System.Text.Json;

namespace ProxyGateway.IntegrationTests.Kubernetes;

/// <summary>A test of <c>config/kubernetes</c>. It needs a kubectl whose Kustomize knows components.</summary>
public sealed class KubectlFactAttribute : FactAttribute
{
    private static readonly string? WhyNot = FindWhyNot();

    public KubectlFactAttribute() => Skip = WhyNot;

    private static string? FindWhyNot()
    {
        try
        {
            using var kubectl = Process.Start(new ProcessStartInfo("kubectl", ["version", "--client", "--output=json"])
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            string output = kubectl.StandardOutput.ReadToEnd();
            kubectl.WaitForExit();
            using JsonDocument version = JsonDocument.Parse(output);

            // Before 1.24 it does not say, and had another Kustomize of years before.
            return version.RootElement.TryGetProperty("kustomizeVersion", out _) ? null : "This kubectl is older than 1.24.";
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or JsonException)
        {
            return "There is no kubectl.";
        }
    }
}
