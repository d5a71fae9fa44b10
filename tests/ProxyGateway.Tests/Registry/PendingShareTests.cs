using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

public sealed class PendingShareTests
{
    private const PairingReason NotPaired = PairingReason.NotPaired;
    private const PairingReason RoleUpgrade = PairingReason.RoleUpgrade;
    private const PairingReason ScopeUpgrade = PairingReason.ScopeUpgrade;

    private const LocalityKind Loopback = LocalityKind.Loopback;
    private const LocalityKind Network = LocalityKind.Network;
    private const LocalityKind Remote = LocalityKind.Remote;

    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(NotPaired, false, Remote, Remote)]
    [InlineData(NotPaired, false, Network, Network)]
    [InlineData(NotPaired, false, Loopback, null)]
    [InlineData(RoleUpgrade, true, Remote, Remote)]
    [InlineData(RoleUpgrade, true, Network, Network)]
    [InlineData(RoleUpgrade, true, Loopback, null)]
    [InlineData(ScopeUpgrade, true, Remote, Remote)]
    [InlineData(ScopeUpgrade, true, Network, Network)]
    [InlineData(ScopeUpgrade, true, Loopback, null)]
    [InlineData(RoleUpgrade, false, Remote, null)]
    [InlineData(RoleUpgrade, false, Network, null)]
    [InlineData(ScopeUpgrade, false, Remote, null)]
    [InlineData(ScopeUpgrade, false, Loopback, null)]
    public void Strangers_are_devices_that_no_operator_has_approved(PairingReason reason, bool byRulesAlone, LocalityKind locality, LocalityKind? strangers) =>
        PendingShare.Of(Request(reason, locality) with { ByRulesAlone = byRulesAlone }).Strangers.ShouldBe(strangers);

    [Theory]
    [InlineData(NotPaired, Remote)]
    [InlineData(RoleUpgrade, null)]
    public void A_request_of_an_older_version_still_counts_by_its_reason(PairingReason reason, LocalityKind? strangers)
    {
        DeviceClaim claim = Some.Claim();
        DeviceRecord record = Some.Paired(claim, Start) with { Requests = [Request(reason, Remote) with { DeviceId = claim.Device }] };
        byte[] document = DeviceDocument.Serialize(record);
        Encoding.UTF8.GetString(document).ShouldNotContain("byRulesAlone", Case.Insensitive, "that is how older versions wrote it");

        PairingRequest read = DeviceDocument.Deserialize(document, record.Id, record.Version).Requests.ShouldHaveSingleItem();

        PendingShare.Of(read).Strangers.ShouldBe(strangers);
    }

    [Fact]
    public void A_request_stores_the_share_that_it_counts_in()
    {
        DeviceClaim claim = Some.Claim();
        DeviceRecord record = Some.Paired(claim, Start) with { Requests = [Request(RoleUpgrade, Remote) with { DeviceId = claim.Device, ByRulesAlone = true }] };

        DeviceRecord read = DeviceDocument.Deserialize(DeviceDocument.Serialize(record), record.Id, record.Version);

        PendingShare.Of(read.Requests.ShouldHaveSingleItem()).Strangers.ShouldBe(Remote);
    }

    private static PairingRequest Request(PairingReason reason, LocalityKind locality) => new()
    {
        Id = RequestId.New(Start),
        DeviceId = Some.Claim().Device,
        Role = "operator",
        Scopes = ScopeSet.Empty,
        Reason = reason,
        Client = new ClientDescription(),
        Address = "192.0.2.1",
        Locality = locality,
        CreatedAt = Start,
        ExpiresAt = Start.AddMinutes(5),
    };
}
