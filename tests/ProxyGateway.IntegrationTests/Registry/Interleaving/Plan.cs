using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>What a gateway does at somebody's bidding.</summary>
internal enum OperationKind
{
    Connect,
    Approve,
    ApprovePart,
    Reject,
    SetGrant,
    TakeGrant,
    Remove,
    Block,
    Unblock,
    Find,
    List,
    Pass,
}

/// <summary>One operation of one gateway. The request that an operator decides is chosen when the time has come, among those that devices were told.</summary>
internal sealed record Operation(int Gateway, OperationKind Kind, int Device, string Role, ScopeSet Scopes, bool FromLoopback, int Pick)
{
    public override string ToString() => $"{Gateway}: {Kind} device {Device} {Role} [{Scopes}]{(FromLoopback ? " loopback" : "")} pick {Pick}";
}

/// <summary>Who does what, in which order for each; who goes before whom is the scheduler's. All of it comes from the seed.</summary>
internal sealed record Plan(int Seed, int Gateways, int Devices, bool WithDeaths, bool IsShortLived, ImmutableArray<Operation> Operations)
{
    private static readonly string[] Roles = ["operator", "node"];
    private static readonly string[] Scopes = ["operator.read", "operator.write", "operator.admin"];

    private static readonly OperationKind[] Often =
    [
        .. Enumerable.Repeat(OperationKind.Connect, 8), .. Enumerable.Repeat(OperationKind.Approve, 5), OperationKind.ApprovePart, OperationKind.Reject, OperationKind.SetGrant,
        OperationKind.TakeGrant, .. Enumerable.Repeat(OperationKind.Remove, 3), OperationKind.Block, OperationKind.Unblock, OperationKind.Find, .. Enumerable.Repeat(OperationKind.List, 2),
    ];

    public static Plan Of(int seed, int gateways = 3, int operationsOfEach = 4)
    {
        var random = new Random(seed);
        int devices = random.Next(4) == 0 ? 3 : 1;
        bool isShortLived = random.Next(8) == 0;
        return new Plan(
            seed, gateways, devices, WithDeaths: random.Next(3) == 0, isShortLived,
            [
                .. Enumerable.Range(0, gateways * operationsOfEach).Select(i => new Operation(
                    i % gateways,
                    isShortLived && random.Next(6) == 0 ? OperationKind.Pass : Often[random.Next(Often.Length)],
                    random.Next(devices),
                    Roles[random.Next(Roles.Length)],
                    ScopeSet.Of(Scopes.Where(_ => random.Next(3) == 0)),
                    FromLoopback: random.Next(4) == 0,
                    random.Next(4))),
            ]);
    }

    public override string ToString() =>
        $"seed {Seed}, {Gateways} gateways{(WithDeaths ? ", of which some die" : "")}{(IsShortLived ? ", short lifetimes" : "")}\n{string.Join('\n', Operations)}";
}
