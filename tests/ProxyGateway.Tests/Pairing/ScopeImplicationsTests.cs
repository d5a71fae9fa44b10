using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>What the built-in implications cover, which is what OpenClaw has.</summary>
public sealed class ScopeImplicationsTests
{
    [Theory]
    [InlineData("operator.admin", "operator.talk.secrets", true)]
    [InlineData("operator.admin", "operator.sessions.write", true)]
    [InlineData("operator.write", "operator.read", true)]
    [InlineData("operator.write", "operator.talk", true)]
    [InlineData("operator.write", "operator.sessions.read", true)]
    [InlineData("operator.write", "operator.sessions.write", true)]
    [InlineData("operator.read", "operator.sessions.read", true)]
    [InlineData("operator.sessions.write", "operator.sessions.read", true)]
    [InlineData("operator.write", "operator.talk.secrets", false)]
    [InlineData("operator.write", "operator.admin", false)]
    [InlineData("operator.write", "operator.pairing", false)]
    [InlineData("operator.read", "operator.write", false)]
    [InlineData("operator.read", "operator.talk", false)]
    [InlineData("operator.read", "operator.sessions.write", false)]
    [InlineData("operator.sessions.write", "operator.read", false)]
    [InlineData("operator.sessions.write", "operator.write", false)]
    [InlineData("operator.sessions.read", "operator.read", false)]
    [InlineData("operator.talk", "operator.write", false)]
    [InlineData("operator.write", "operator.reads", false)]
    [InlineData("operator.admin", "operators", false)]
    public void An_operators_scope_covers_another(string granted, string requested, bool covers)
    {
        ScopeImplications.Default.Covers("operator", ScopeSet.Of(granted), ScopeSet.Of(requested)).ShouldBe(covers);
        ScopeImplications.Default.Covers("node", ScopeSet.Of(granted), ScopeSet.Of(requested)).ShouldBeFalse("implications are of one role");
    }
}
