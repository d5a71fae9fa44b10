using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.Serving;

namespace ProxyGateway.Tests.Configuration;

/// <summary>What <c>docs/configuration.md</c> shows can be copied, and what can be configured is in it.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(ShippedConfigurationTests.Root, "docs", "configuration.md"));

    public static TheoryData<string> Examples => [.. Blocks().Matches(Page).Select(m => m.Groups["json"].Value)];

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_is_valid(string json)
    {
        var errors = new ConfigurationErrors();
        IConfigurationRoot configuration = Configurations.Json(json);
        Configurations.Read(configuration, errors);
        RegistryOptionsReader.Read(configuration, errors);
        AdminOptionsReader.Read(configuration, errors);
        TelemetryOptionsReader.Read(configuration, errors);
        errors.All.ShouldBeEmpty();
    }

    [Fact]
    public void Every_policy_has_its_example() => Blocks().Count(Page).ShouldBe(15);

    // The readers name the keys that they know when they meet one that they do not.
    [Theory]
    [InlineData("DeviceAuth")]
    [InlineData("DeviceAuth:Limits")]
    [InlineData("DeviceAuth:Backends:agent")]
    [InlineData("DeviceAuth:Backends:agent:OpenClaw")]
    [InlineData("DeviceAuth:Pairing")]
    [InlineData("DeviceAuth:Pairing:AutoApprove:loopback")]
    [InlineData("DeviceAuth:Pairing:Deviceless")]
    [InlineData("Registry")]
    [InlineData("Registry:Redis")]
    [InlineData("Registry:Sqlite")]
    [InlineData("Admin")]
    [InlineData("Admin:Keys:ops")]
    [InlineData("Admin:Webhooks:chat")]
    [InlineData("Telemetry")]
    [InlineData("Telemetry:Otlp")]
    [InlineData("Telemetry:Traces")]
    public void Every_key_is_documented(string section)
    {
        var errors = new ConfigurationErrors();
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new(section + ":Unknown", "1")]).Build();
        Configurations.Read(configuration, errors);
        RegistryOptionsReader.Read(configuration, errors);
        AdminOptionsReader.Read(configuration, errors);
        TelemetryOptionsReader.Read(configuration, errors);

        string unknown = errors.All.Single(e => e.StartsWith(section, StringComparison.Ordinal) && e.Contains("unknown key", StringComparison.Ordinal));
        string[] keys = unknown[(unknown.IndexOf("here: ", StringComparison.Ordinal) + 6)..].TrimEnd('.').Split(", ");
        keys.ShouldAllBe(k => Page.Contains(k, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_test_that_the_threat_model_names_is_there()
    {
        HashSet<string> classes =
        [
            .. from folder in new[] { "tests", "src/ProxyGateway.DeviceAuth.Testing" }
               from file in Directory.EnumerateFiles(Path.Combine(ShippedConfigurationTests.Root, folder), "*.cs", SearchOption.AllDirectories)
               select Path.GetFileNameWithoutExtension(file),
        ];
        string[] named = [.. TestNames().Matches(File.ReadAllText(Path.Combine(ShippedConfigurationTests.Root, "docs", "security.md"))).Select(m => m.Groups["name"].Value)];

        named.Length.ShouldBeGreaterThan(40);
        named.ShouldAllBe(n => classes.Contains(n));
    }

    [GeneratedRegex("`(?:[A-Za-z]+/)*(?<name>[A-Za-z0-9]+(Tests|Properties|Contract))`", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TestNames();

    [GeneratedRegex("```json\n(?<json>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Blocks();
}
