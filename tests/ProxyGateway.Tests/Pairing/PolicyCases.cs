using System.Net;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>Short words for records, claims and places.</summary>
internal static class PolicyCases
{
    private static readonly DeviceId Device = DeviceId.Of(new byte[32]);

    public static Locality Loopback { get; } = new(IsLoopback: true);

    public static Locality Elsewhere { get; } = new(IsLoopback: false, IPAddress.Parse("203.0.113.7"));

    public static DeviceRecord Nothing { get; } = new() { Id = Device, PublicKey = "", CreatedAt = default };

    public static DeviceClaim Asks(string role, params string[] scopes) => new(Device, "", role, ScopeSet.Of(scopes), new ClientDescription());

    public static DeviceRecord Holds(string role, params string[] scopes) => Nothing.And(role, scopes);

    public static DeviceRecord And(this DeviceRecord record, string role, params string[] scopes) =>
        record with { Grants = record.Grants.SetItem(role, new Grant { Scopes = ScopeSet.Of(scopes), ApprovedAt = default }) };

    public static DeviceRecord In(this DeviceRecord record, string audience, string role, params string[] scopes) =>
        record with { Grants = record.Grants.SetItem(role.In(audience), new Grant { Scopes = ScopeSet.Of(scopes), ApprovedAt = default }) };

    public static DeviceRecord Refused(string role) => Nothing with { Refusals = new RefusalMarks { At = default, Roles = DefaultAudience.Roles(role) } };

    /// <summary>The decision in a few words.</summary>
    public static string Decide(PairingPolicy policy, DeviceRecord? record, DeviceClaim claim, Locality locality) => policy.Decide(record, claim, locality) switch
    {
        PairingDecision.Admit => "admit",
        PairingDecision.AutoApprove approve => $"approve {approve.Rule} {approve.Reason.ToWireName()}",
        PairingDecision.RequirePairing require => $"pair {require.Reason.ToWireName()}",
        PairingDecision.LookUpPeerUser => "look up",
        var other => throw new InvalidOperationException(other.ToString()),
    };
}
