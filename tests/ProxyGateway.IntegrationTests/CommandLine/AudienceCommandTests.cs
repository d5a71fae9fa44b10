using System.Text.Json;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>What operators do for one of several agents from a shell.</summary>
public sealed class AudienceCommandTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task A_grant_of_another_audience_is_set_shown_exported_and_taken_away()
    {
        TestDevice device = (await gateway.PairAsync()).Device;
        string id = device.Id.ToString();

        JsonElement granted = (await gateway.OperateAsync("devices", "grant", id, "node", "--audience", "agent-2", "--scopes", "camera", "--json")).ShouldSucceed().Json;
        Keys(granted).ShouldBe(["operator", "agent-2/node"]);
        (await gateway.OperateAsync("devices", "show", id)).ShouldSucceed().Output.ShouldContain("agent-2/node: camera");
        (await gateway.OperateAsync("devices", "list", "--audience", "agent-2", "--json")).ShouldSucceed().Json.GetProperty("items").EnumerateArray()
            .Select(d => d.GetProperty("id").GetString()).ShouldBe([id]);
        (await gateway.OperateAsync("devices", "list", "--audience", "agent-3")).ShouldSucceed().Output.ShouldContain("No device");
        (await gateway.OperateAsync("audit", "--audience", "agent-2")).ShouldSucceed().Output.ShouldContain("agent-2/node");

        string file = Path.Combine(Directory.CreateTempSubdirectory("audience-").FullName, "devices.json");
        await File.WriteAllTextAsync(file, (await gateway.OperateAsync("devices", "export")).ShouldSucceed().Output);
        (await gateway.OperateAsync("devices", "revoke", id, "node", "--audience", "agent-2")).ShouldSucceed();
        (await gateway.OperateAsync("devices", "remove", id)).ShouldSucceed();
        (await gateway.OperateAsync("devices", "import", file)).Output.ShouldContain("agent-2/node: camera");
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("Agent")]
    [InlineData("a/b")]
    [InlineData("")]
    public async Task An_invalid_audience_does_not_become_a_path(string audience)
    {
        TestDevice device = (await gateway.PairAsync()).Device;

        (await gateway.OperateAsync("devices", "grant", device.Id.ToString(), "node", "--audience", audience, "--scopes", "a")).ShouldFail(2).ShouldContain("is no audience");
        (await gateway.OperateAsync("devices", "revoke", device.Id.ToString(), "operator", "--audience", audience)).ShouldFail(2).ShouldContain("is no audience");
        (await gateway.OperateAsync("sessions", "list", "--audience", audience)).ShouldFail(2).ShouldContain("is no audience");
    }

    [Fact]
    public async Task The_audience_default_is_the_one_without_a_name()
    {
        TestDevice device = (await gateway.PairAsync()).Device;

        Keys((await gateway.OperateAsync("devices", "grant", device.Id.ToString(), "node", "--audience", "default", "--scopes", "a", "--json")).ShouldSucceed().Json)
            .ShouldBe(["node", "operator"]);
    }

    private static IEnumerable<string> Keys(JsonElement device) => device.GetProperty("grants").EnumerateObject().Select(g => g.Name);
}
