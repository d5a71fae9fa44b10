using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>What a request says of itself at a time, and what counts as the same ask.</summary>
public sealed class PairingRequestTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset End = Start.AddMinutes(5);

    [Theory]
    [InlineData(PairingRequestStatus.Open, -1, true, PairingRequestStatus.Open)]
    [InlineData(PairingRequestStatus.Open, 0, false, PairingRequestStatus.Expired)]
    [InlineData(PairingRequestStatus.Open, 1, false, PairingRequestStatus.Expired)]
    [InlineData(PairingRequestStatus.Approved, -1, false, PairingRequestStatus.Approved)]
    [InlineData(PairingRequestStatus.Approved, 1, false, PairingRequestStatus.Approved)]
    [InlineData(PairingRequestStatus.Rejected, 1, false, PairingRequestStatus.Rejected)]
    [InlineData(PairingRequestStatus.Covered, 1, false, PairingRequestStatus.Covered)]
    [InlineData(PairingRequestStatus.Expired, -1, false, PairingRequestStatus.Expired)]
    public void A_request_is_open_until_it_expires(PairingRequestStatus status, int ticksAfterEnd, bool isOpen, PairingRequestStatus expected)
    {
        PairingRequest request = Request() with { Status = status };
        DateTimeOffset now = End.AddTicks(ticksAfterEnd);

        request.IsOpen(now).ShouldBe(isOpen);
        PairingRequest later = request.AsOf(now);
        later.Status.ShouldBe(expected);
        if (expected == status)
            later.ShouldBeSameAs(request);
        else
            later.ResolvedAt.ShouldBe(End, "whenever somebody looks");
    }

    [Theory]
    [InlineData("node", "a b", true)]
    [InlineData("node", "b a", true)]
    [InlineData("node", "a", false)]
    [InlineData("node", "", false)]
    [InlineData("operator", "a b", false)]
    public void The_same_ask_has_the_same_role_and_scopes(string role, string scopes, bool isSame) =>
        Request().Asks(role.InDefault(), ScopeSet.Of(scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ShouldBe(isSame);

    [Theory]
    [InlineData(PairingReason.NotPaired, "not-paired")]
    [InlineData(PairingReason.RoleUpgrade, "role-upgrade")]
    [InlineData(PairingReason.ScopeUpgrade, "scope-upgrade")]
    public void A_reason_has_one_name(PairingReason reason, string name)
    {
        reason.ToWireName().ShouldBe(name);
        PairingReasonNames.TryParse(name, out PairingReason parsed).ShouldBeTrue();
        parsed.ShouldBe(reason);
    }

    [Theory]
    [InlineData("Not-paired")]
    [InlineData("")]
    [InlineData(null)]
    public void Any_other_name_is_no_reason(string? name)
    {
        PairingReasonNames.TryParse(name, out PairingReason parsed).ShouldBeFalse();
        parsed.ShouldBe(default);
        Should.Throw<ArgumentOutOfRangeException>(() => ((PairingReason)17).ToWireName());
    }

    private static PairingRequest Request() => new()
    {
        Id = RequestId.New(Start),
        DeviceId = DeviceId.Of([]),
        Role = "node",
        Scopes = ScopeSet.Of("a", "b"),
        Reason = PairingReason.NotPaired,
        Client = new ClientDescription(),
        Locality = LocalityKind.Remote,
        CreatedAt = Start,
        ExpiresAt = End,
    };
}
