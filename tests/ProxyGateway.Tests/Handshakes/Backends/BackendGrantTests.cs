using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>What the gate approves at a backend, as a table.</summary>
public sealed class BackendGrantTests
{
    [Theory]
    [InlineData("operator", "operator.read", true)]
    [InlineData("operator", "", true)]
    [InlineData("operator", "operator.read operator.write", true)] // the claim asks for less, and the record grants it
    [InlineData("operator node", "operator.read", true)]
    [InlineData("operator node", "camera", true)]
    [InlineData("operator", "operator.admin", false)]
    [InlineData("operator", "operator.read operator.admin", false)]
    [InlineData("operator", "camera", false)] // granted in another role
    [InlineData("node", "operator.read", false)]
    [InlineData("operator other", "operator.read", false)]
    [InlineData("", "", false)]
    [InlineData("Operator", "operator.read", false)]
    [InlineData("operator", "*", false)]
    public void All_that_would_be_approved_is_granted(string roles, string scopes, bool covered)
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        DeviceRecord paired = Some.Paired(claim, DateTimeOffset.UnixEpoch);
        DeviceRecord record = paired with
        {
            Grants = paired.Grants
                .SetItem("operator", paired.Grants.Of("operator") with { Scopes = ScopeSet.Of("operator.read", "operator.write") })
                .SetItem("node", paired.Grants.Of("operator") with { Scopes = ScopeSet.Of("camera") }),
        };
        var grant = new BackendGrant(claim, record, ScopeImplications.Default);

        grant.Covers(new PendingPairing(claim.Device.ToString(), Set(roles), Set(scopes))).ShouldBe(covered);
    }

    [Theory]
    [InlineData("operator", "operator.read", true)]
    [InlineData("operator", "operator.write", false)]
    [InlineData("operator node", "operator.read", false)]
    public void What_was_granted_for_another_agent_is_not_approved_at_this_backend(string roles, string scopes, bool covered)
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read").In("agent-2");
        DeviceRecord paired = Some.Paired(claim, DateTimeOffset.UnixEpoch);
        Grant wide = paired.Grants[claim.Key] with { Scopes = ScopeSet.Of("operator.admin") };
        DeviceRecord record = paired with { Grants = paired.Grants.Add("operator", wide).Add("node", wide) };

        new BackendGrant(claim, record, ScopeImplications.Default).Covers(new PendingPairing(claim.Device.ToString(), Set(roles), Set(scopes))).ShouldBe(covered);
    }

    [Theory]
    [InlineData("node", "operator.admin", true)]
    [InlineData("operator node", "operator.admin", false)]
    [InlineData("operator node", "operator.read camera", true)]
    public void A_scope_of_operators_that_a_node_was_granted_is_none_for_the_role_of_operators(string roles, string scopes, bool covered)
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        DeviceRecord paired = Some.Paired(claim, DateTimeOffset.UnixEpoch);
        DeviceRecord record = paired with
        {
            Grants = paired.Grants.SetItem("node", paired.Grants.Of("operator") with { Scopes = ScopeSet.Of("camera", "operator.admin") }),
        };

        new BackendGrant(claim, record, ScopeImplications.Default).Covers(new PendingPairing(claim.Device.ToString(), Set(roles), Set(scopes))).ShouldBe(covered);
    }

    [Theory]
    [InlineData("operator", "operator.read", "operator", "operator.read", true)]
    [InlineData("", "", "operator", "operator.read operator.sessions.read", true)] // implied
    [InlineData("operator", "operator.admin", "operator", "operator.admin operator.read", true)] // it had that before, by somebody else's decision
    [InlineData("node", "camera", "node operator", "camera operator.read", true)]
    [InlineData("", "", "operator", "operator.read operator.admin", false)]
    [InlineData("operator", "operator.read", "operator", "operator.read operator.admin", false)]
    [InlineData("operator", "operator.read", "operator node", "operator.read", false)]
    [InlineData("", "", "operator", "operator.read *", false)]
    public void All_that_an_approval_has_added_is_granted(string rolesBefore, string scopesBefore, string roles, string scopes, bool covered)
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        var grant = new BackendGrant(claim, Some.Paired(claim, DateTimeOffset.UnixEpoch), ScopeImplications.Default);
        string device = claim.Device.ToString();
        PendingPairing? before = rolesBefore == "" ? null : new PendingPairing(device, Set(rolesBefore), Set(scopesBefore));

        grant.CoversAddition(before, new PendingPairing(device, Set(roles), Set(scopes))).ShouldBe(covered);
    }

    // What the backend's list has of the device; what its refusal has told; and what the device has after the approval.
    [Theory]
    [InlineData("operator", "operator.read", "operator", "operator.admin", "operator", "operator.admin operator.read", true)] // its owner's decision
    [InlineData("operator", "operator.read", "operator node", "operator.read", "operator node", "operator.read", true)]
    [InlineData("operator", "operator.read", "operator", "operator.admin", "operator node", "operator.read", false)]
    [InlineData("operator", "operator.read", "operator", "operator.pairing", "operator", "operator.admin operator.read", false)]
    [InlineData("", "", "operator", "operator.admin", "operator", "operator.admin operator.read", false)] // removed there since
    public void What_the_backend_has_told_that_the_device_had_is_no_addition(
        string roles, string scopes, string rolesTold, string scopesTold, string rolesAfter, string scopesAfter, bool covered)
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        string device = claim.Device.ToString();
        var grant = new BackendGrant(claim, Some.Paired(claim, DateTimeOffset.UnixEpoch), ScopeImplications.Default)
        {
            Question = BackendRefusal.Unknown with { ApprovedRoles = Set(rolesTold), ApprovedScopes = Set(scopesTold) },
        };
        PendingPairing? before = roles == "" ? null : new PendingPairing(device, Set(roles), Set(scopes));

        grant.CoversAddition(before, new PendingPairing(device, Set(rolesAfter), Set(scopesAfter))).ShouldBe(covered);
    }

    [Fact]
    public void Another_device_is_granted_nothing()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        var grant = new BackendGrant(claim, Some.Paired(claim, DateTimeOffset.UnixEpoch), ScopeImplications.Default);

        grant.Covers(new PendingPairing(new string('0', 64), ScopeSet.Of("operator"), ScopeSet.Empty)).ShouldBeFalse();
    }

    private static ScopeSet Set(string words) => ScopeSet.Of(words.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
