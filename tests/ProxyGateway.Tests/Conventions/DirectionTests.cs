using System.Collections.Immutable;

namespace ProxyGateway.Tests.Conventions;

/// <summary>
/// The directions in which folders use each other, as ARCHITECTURE.md states them. Where a change goes against one, move the type to where it is used
/// from, or pass a value; a new folder needs a place in the order.
/// </summary>
public sealed class DirectionTests
{
    private const string Options = "(options)";

    // The root namespace is what an embedder sees first. Others use these types of it; the rest puts the library together.
    private static readonly ImmutableHashSet<string> OptionTypes = ["DeviceAuthOptions", "DeviceAuthLimits", "DeviceAuthDefaults", "HttpRequests", "IDeviceAuthSettings", "OpenClawBackendOptions"];
    private static readonly ImmutableHashSet<string> ToolTypes = ["LogText", "PacedLogger", "Throttle", "TimeMark", "Telemetry", "IDeviceAuthorizationBuilder"];

    private static readonly Layers Library = new(
        "ProxyGateway.DeviceAuth",
        [
            ["Pairing"],
            ["(tools)"],
            ["WebSockets"],
            ["Diagnostics"],
            ["Files"],
            ["Localities"],
            ["Registry", "Registry.Auditing"], // accepted: a change and its entry are written together
            ["Sqlite"],
            ["Redis"],
            [Options],
            ["Configuration"],
            ["Limits"],
            ["Sessions"],
            ["Health"],
            ["Overview"],
            ["Handshakes"],
            ["Handshakes.ConnectFrame.Backends"],
            ["Handshakes.ConnectFrame"],
            ["Handshakes.Proof"],
            ["Identity"],
            ["(composition)"],
            ["Admin.Page"],
            ["Admin", "Admin.OpenApi", "Admin.Webhooks"], // accepted: an endpoint carries its description, and a webhook sends what the events endpoint shows
            ["Client"],
            ["Testing"],
        ],
        type => OptionTypes.Contains(type) ? Options : ToolTypes.Contains(type) ? "(tools)" : "(composition)");

    private static readonly Layers Program = new(
        "ProxyGateway",
        [
            ["(tools)"],
            ["Serving"],
            ["Operating", "Operating.Importing"], // accepted: the import is a command of the operators'
            ["Connecting"],
            ["Connecting.Mcp"],
            ["Forwarding"],
            ["(composition)"],
        ],
        type => type is "ExitCodes" or "CommandFailedException" or "PlainText" or "QrCode" ? "(tools)" : "(composition)");

    private static readonly ImmutableHashSet<string> Stores =
        ["IDeviceStore", "ICopyableDeviceStore", "ILastSeenStore", "IAuditStore", "ISharedDocumentStore", "IReplayStore", "AuditLog", "DeviceRegistry", "DeviceFleet"];

    private static readonly Lazy<SourceGraph> Graph = new(() => SourceGraph.Of(SourceGraph.Sources("ProxyGateway.DeviceAuth*")));

    [Fact]
    public void Namespaces_of_the_library_use_each_other_in_one_direction()
    {
        Library.Upwards(Uses()).ShouldBeEmpty();
        Library.Placeless(Uses()).ShouldBeEmpty();
    }

    [Fact]
    public void Namespaces_of_the_program_use_each_other_in_one_direction()
    {
        IReadOnlyList<SourceGraph.Use> uses = [.. SourceGraph.Of(SourceGraph.Sources("ProxyGateway")).Uses()];
        Program.Upwards(uses).ShouldBeEmpty();
        Program.Placeless(uses).ShouldBeEmpty();
    }

    [Fact]
    public void Pairing_knows_nothing() => OfPairing(Uses()).ShouldBeEmpty();

    [Fact]
    public void The_registry_knows_nothing_of_WebSockets_or_configuration() => OfTheRegistry(Uses()).ShouldBeEmpty();

    [Fact]
    public void Handshakes_know_nothing_of_stores() => OfHandshakes(Uses()).ShouldBeEmpty();

    [Fact]
    public void Admin_reads_through_public_contracts() =>
        OfAdmin(Uses()).ShouldBeEmpty("an application of others could not do what Admin does");

    // Else a slip in the reading of sources would make all of the above pass.
    [Fact]
    public void A_planted_violation_of_each_is_found()
    {
        Library.Upwards(Planted("namespace ProxyGateway.DeviceAuth.Localities; class Planted { string Name => nameof(IDeviceAuthSettings); }")).ShouldNotBeEmpty();
        Library.Upwards(Planted("using ProxyGateway.DeviceAuth.Sessions; namespace ProxyGateway.DeviceAuth.Limits; class Planted { Session? _session; }")).ShouldNotBeEmpty();
        Library.Upwards(Planted("namespace ProxyGateway.DeviceAuth.Sessions; class Planted { int _code = Handshakes.Problems.Code; }")).ShouldNotBeEmpty();
        Library.Placeless(Planted("using ProxyGateway.DeviceAuth.Pairing; namespace ProxyGateway.DeviceAuth.Elsewhere; class Planted { DeviceClaim? _claim; }")).ShouldNotBeEmpty();
        OfPairing(Planted("namespace ProxyGateway.DeviceAuth.Pairing; class Planted { const string Meter = Telemetry.MeterName; }")).ShouldNotBeEmpty();
        OfTheRegistry(Planted("using ProxyGateway.DeviceAuth.WebSockets; namespace ProxyGateway.DeviceAuth.Registry; class Planted { Opcode _opcode; }")).ShouldNotBeEmpty();
        OfTheRegistry(Planted("namespace ProxyGateway.DeviceAuth.Registry.Auditing; class Planted(IDeviceAuthSettings settings);")).ShouldNotBeEmpty();
        OfHandshakes(Planted("using ProxyGateway.DeviceAuth.Registry; namespace ProxyGateway.DeviceAuth.Handshakes.Proof; class Planted(IDeviceStore store);")).ShouldNotBeEmpty();
        OfAdmin(Planted("using ProxyGateway.DeviceAuth.Sessions; namespace ProxyGateway.DeviceAuth.Admin; class Planted(Gatekeeper gate);")).ShouldContain(u => u.Type == "Gatekeeper");
    }

    private static IReadOnlyList<SourceGraph.Use> Uses() => [.. Graph.Value.Uses()];

    private static IEnumerable<SourceGraph.Use> Planted(string source) => [.. Graph.Value.With(source.Replace("; ", ";\n", StringComparison.Ordinal)).Uses()];

    private static IEnumerable<SourceGraph.Use> OfPairing(IEnumerable<SourceGraph.Use> uses) => uses.Where(u => Library.UserOf(u) == "Pairing");

    private static IEnumerable<SourceGraph.Use> OfTheRegistry(IEnumerable<SourceGraph.Use> uses) =>
        uses.Where(u => Library.UserOf(u) is "Registry" or "Registry.Auditing" && Library.UsedOf(u) is "WebSockets" or "Configuration" or Options);

    private static IEnumerable<SourceGraph.Use> OfHandshakes(IEnumerable<SourceGraph.Use> uses) =>
        uses.Where(u => IsWithin(Library.UserOf(u), "Handshakes") && Stores.Contains(u.Type));

    private static IEnumerable<SourceGraph.Use> OfAdmin(IEnumerable<SourceGraph.Use> uses) =>
        uses.Where(u => IsWithin(Library.UserOf(u), "Admin") && !IsWithin(Library.UsedOf(u), "Admin") && !u.IsPublic);

    private static bool IsWithin(string name, string folder) => name == folder || name.StartsWith(folder + ".", StringComparison.Ordinal);
}
