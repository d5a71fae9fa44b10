using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Serving;
using ProxyGateway.Tests.Configuration;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Diagnostics;

/// <summary>What <c>docs/telemetry.md</c> lists is what there is, by which dashboards and alerts find it.</summary>
public sealed partial class TelemetryDocumentTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(ShippedConfigurationTests.Root, "docs", "telemetry.md"));

    [Fact]
    public void Every_instrument_is_documented_with_its_kind_and_unit()
    {
        using var gate = new MemoryGate();
        IMeterFactory meters = gate.Get<IMeterFactory>();
        using var measured = new Measured(meters);
        _ = gate.Get<GateGauges>();
        _ = gate.Get<HandshakeMetrics>();
        _ = gate.Get<RevocationMetrics>();
        _ = gate.Get<ProxyGateway.DeviceAuth.Sessions.LastSeenTracker>();
        _ = gate.Get<DeviceRegistry>();
        GateTelemetry telemetry = gate.Get<GateTelemetry>();
        _ = new KeyRefusals(TimeProvider.System, telemetry, gate.Get<IHostApplicationLifetime>(), NullLogger<KeyRefusals>.Instance);
        new WebhookReport(TimeProvider.System, telemetry, NullLogger<WebhookReport>.Instance).Observe([]);
        _ = new ConnectionDoor("data", new ConnectionBudget(() => new ConnectionLimits(1, 1)), () => [], telemetry, gate.Get<PacedLogger<ConnectionDoor>>());
        _ = new CertificateAges(new ConfigurationBuilder().Build(), new Somewhere(), meters, TimeProvider.System);

        string[] documented = [.. Rows().Matches(Page).Select(m => $"{m.Groups["name"].Value} {m.Groups["kind"].Value} {m.Groups["unit"].Value}").Order()];
        measured.Instruments.Select(i => $"{i.Name} {KindOf(i)} {i.Unit}").Order().ShouldBe(documented);
        measured.Instruments.ShouldAllBe(i => i.Description != null);
    }

    [Fact]
    public void Every_value_of_a_closed_list_is_documented()
    {
        ValuesOf("`proxygateway.outcome` of handshakes").ShouldBe(HandshakeOutcomeNames.All);
        ValuesOf("`proxygateway.outcome` of the registry").ShouldBe(RegistryCalls.Outcomes);
        ValuesOf("`proxygateway.registry.operation`").ShouldBe(RegistryCalls.Operations);
        ValuesOf("`proxygateway.revocation.trigger`").ShouldBe(RevocationMetrics.Triggers);
        ValuesOf("`proxygateway.session.end`").ShouldBe(SessionEnds.All);
        ValuesOf("`proxygateway.handshake.step`").ShouldBe(Enum.GetValues<HandshakeStep>().Select(HandshakeMetrics.NameOf));
        ValuesOf("`proxygateway.audit.source`").ShouldBe(Enum.GetNames<AuditSource>().Select(HandshakeOutcomeNames.Hyphenate));
    }

    [Fact]
    public void Every_outcome_of_a_handshake_is_explained() =>
        Page.Split('\n').SkipWhile(line => !line.StartsWith("| outcomes of handshakes |", StringComparison.Ordinal)).Skip(2).TakeWhile(line => line.StartsWith('|'))
            .SelectMany(line => Code().Matches(line.Split('|')[1])).Select(m => m.Groups["value"].Value).ShouldBe(HandshakeOutcomeNames.All, ignoreOrder: true);

    // Of the row's text only what stands in code, outside of parentheses.
    private static IEnumerable<string> ValuesOf(string attribute)
    {
        string row = Page.Split('\n').Single(line => line.StartsWith($"| {attribute} |", StringComparison.Ordinal));
        string values = Parentheses().Replace(row[(attribute.Length + 4)..], "");
        return Code().Matches(values).Select(m => m.Groups["value"].Value);
    }

    private static string KindOf(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "Counter" => "counter",
        "Histogram" => "histogram",
        "ObservableUpDownCounter" => "up-down counter",
        "ObservableGauge" => "gauge",
        var other => other,
    };

    [GeneratedRegex(@"^\| `(?<name>proxygateway\.[a-z_.]+)` \| (?<kind>[a-z -]+) \| `(?<unit>[^`]+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Rows();

    [GeneratedRegex(@"\([^)]*\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Parentheses();

    [GeneratedRegex("`(?<value>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Code();

    private sealed class Somewhere : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = "";

        public string ApplicationName { get; set; } = "";

        public string ContentRootPath { get; set; } = "/";

        public IFileProvider ContentRootFileProvider { get; set; } = new NullFileProvider();
    }
}
