using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.Overview;

/// <summary>Whatever a client or an application writes into a reason, it is counted under one of a few names.</summary>
public sealed class RefusalReasonsTests
{
    private static readonly DeviceId Device = Some.Claim().Device;

    public static TheoryData<string, bool, string> Reasons => new()
    {
        { "not-paired", true, RefusalReasons.PairingRequired },
        { "role-upgrade", true, RefusalReasons.PairingRequired },
        { "scope-upgrade", true, RefusalReasons.PairingRequired },
        { "rejected", true, RefusalReasons.Rejected },
        { "blocked", true, RefusalReasons.Blocked },
        { "unauthorized", true, RefusalReasons.Unauthorized },
        { Closing.InsufficientScope.Reason, true, RefusalReasons.Unauthorized },
        { "proof-already-used", true, RefusalReasons.Replayed },
        { Closing.ProofUsed.Reason, true, RefusalReasons.Replayed },
        { "session-token-outdated", true, RefusalReasons.Replayed },
        { Closing.SessionTokenInvalid.Reason, true, RefusalReasons.Replayed },
        { "busy", true, RefusalReasons.Busy },
        { "reloaded", true, RefusalReasons.Busy },
        { "too-many-sessions", true, RefusalReasons.Busy },
        { "too-many-requests", true, RefusalReasons.Busy },
        { Closing.TryAgainLater.Reason, false, RefusalReasons.Busy },
        { "registry-unavailable", true, RefusalReasons.RegistryUnavailable },
        { Closing.RegistryUnavailable.Reason, false, RefusalReasons.RegistryUnavailable },
        { Closing.BackendHandshakeFailed.Reason, false, RefusalReasons.Backend },
        { Closing.HandshakeTimeout.Reason, false, RefusalReasons.Invalid },
        { Closing.SignatureInvalid.Reason, false, RefusalReasons.Invalid },
        { Closing.IdentityRequired.Reason, false, RefusalReasons.Invalid },
        { Closing.InvalidHandshake("anything").Reason, false, RefusalReasons.Invalid },
        { Closing.InternalError.Reason, false, RefusalReasons.Other },
        { "a filter of an application says no", true, RefusalReasons.Other },
    };

    [Theory]
    [MemberData(nameof(Reasons))]
    public void A_refused_device_is_counted_under(string reason, bool isKnown, string expected) =>
        RefusalReasons.Of(new AuditEntry { Kind = AuditKinds.DeviceRefused, Reason = reason, DeviceId = isKnown ? Device : null }).ShouldBe(expected);

    [Theory]
    [InlineData("origin", RefusalReasons.Origin)]
    [InlineData("budget", RefusalReasons.Busy)]
    [InlineData("budget-of-address", RefusalReasons.Busy)]
    public void A_refused_upgrade_is_counted_under(string reason, string expected) =>
        RefusalReasons.Of(new AuditEntry { Kind = AuditKinds.UpgradeRefused, Reason = reason }).ShouldBe(expected);

    [Fact]
    public void Every_kind_of_entry_is_a_refusal_with_a_known_reason_or_none()
    {
        string?[] reasons = [.. AuditKinds.All.Select(kind => RefusalReasons.Of(new AuditEntry { Kind = kind, Reason = "x" }))];

        reasons.Count(r => r is not null).ShouldBe(3);
        reasons.ShouldAllBe(r => r == null || RefusalReasons.All.Contains(r));
    }
}
