using System.Text.Json;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>How operators invite devices from a shell.</summary>
public sealed class InvitationCommandTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task An_invitation_is_made_listed_and_withdrawn()
    {
        string printed = (await gateway.OperateAsync(
            "invite", "https://gate.example/mcp", "--audience", "tools", "--scopes", "mcp.call,mcp.look", "--for", "30d", "--uses", "2", "--expires", "8h")).ShouldSucceed().Output;

        printed.ShouldStartWith("A device with this address becomes tools/client with mcp.call mcp.look for 30d, 2 times, until ");
        printed.ShouldContain("  https://gate.example/mcp#invitation=");
        printed.ShouldContain("&role=client&scopes=mcp.call,mcp.look");
        JsonElement listed = (await gateway.OperateAsync("invitations", "list", "--json")).ShouldSucceed().Json.GetProperty("items")[0];
        (listed.GetProperty("grantSeconds").GetInt32(), listed.GetProperty("uses").GetInt32(), listed.TryGetProperty("secret", out _)).ShouldBe((30 * 86400, 2, false));
        (await gateway.OperateAsync("invitations", "list")).ShouldSucceed().Output.ShouldContain("tools/client: mcp.call mcp.look");

        (await gateway.OperateAsync("invitations", "withdraw", listed.GetProperty("id").GetString()![..8])).ShouldSucceed().Output.ShouldContain("is withdrawn");

        (await gateway.OperateAsync("invitations", "list")).ShouldSucceed().Output.ShouldContain("Nobody is invited.");
        (await gateway.OperateAsync("invitations", "withdraw", listed.GetProperty("id").GetString()!)).ShouldFail(1);
    }

    [Theory]
    [InlineData("invite", "gate.example/mcp")]
    [InlineData("invite", "https://gate.example/mcp#there-is-one")]
    [InlineData("invite", "https://user@gate.example/mcp")]
    [InlineData("invite", "file:///etc/passwd")]
    [InlineData("invite", "--for", "soon")]
    [InlineData("invite", "--expires", "10s")]
    [InlineData("invite", "--audience", "..")]
    public async Task What_makes_no_sense_invites_nobody(params string[] command) => (await gateway.OperateAsync(command)).ShouldFail(2);
}
