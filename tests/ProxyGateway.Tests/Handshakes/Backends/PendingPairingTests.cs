using System.Text.Json;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>What a backend's list says of its requests and devices.</summary>
public sealed class PendingPairingTests
{
    [Theory]
    [InlineData("""{"deviceId":"d"}""", "d [] []")]
    [InlineData("""{"deviceId":"d","role":"a","scopes":["x"]}""", "d [a] [x]")]
    [InlineData("""{"deviceId":"d","roles":["a","b"],"role":"c","scopes":["y","x"]}""", "d [a b c] [x y]")]
    [InlineData("""{"deviceId":"d","tokens":[{"role":"a","scopes":["x"]},{"role":"b","scopes":["y"]}]}""", "d [a b] [x y]")]
    [InlineData("""{"deviceId":"d","role":"c","scopes":["z"],"tokens":[{"role":"a","scopes":["x"]}]}""", "d [a c] [x z]")]
    [InlineData("""{"deviceId":"d","tokens":[{"scopes":["x"]},{"role":"a"}]}""", "d [a] [x]")]
    [InlineData("""{"deviceId":"d","tokens":{"role":"a"}}""", "d [] []")]
    [InlineData("""{"deviceId":"d","tokens":null,"role":null,"roles":null,"scopes":null}""", "d [] []")]
    [InlineData("""{"role":"a"}""", null)]
    [InlineData("""{"deviceId":null}""", null)]
    public void A_device_has_the_roles_and_scopes_of_all_its_parts(string json, string? expected) => Show(PendingPairing.Read(Parse(json))).ShouldBe(expected);

    [Theory]
    [InlineData("""{"deviceId":1}""", "deviceId")]
    [InlineData("""{"deviceId":"d","tokens":[{"role":1}]}""", "role")]
    [InlineData("""{"deviceId":"d","tokens":[{"scopes":"x"}]}""", "scopes")]
    [InlineData("""{"deviceId":"d","tokens":["a"]}""", "role")]
    [InlineData("[]", "tokens")]
    public void What_is_of_another_kind_is_not_understood(string json, string member) =>
        Should.Throw<BackendPairingException>(() => PendingPairing.Read(Parse(json))).Message.ShouldBe($"what it says of its requests is not understood ({member})");

    [Theory]
    [InlineData("""{"paired":[{"deviceId":"c","role":"a"},{"deviceId":"d","role":"b"}]}""", "d [b] []")]
    [InlineData("""{"paired":[{"deviceId":"c","role":"a"}]}""", null)]
    [InlineData("""{"pending":[{"deviceId":"d","role":"a"}]}""", null)]
    [InlineData("""{"paired":null}""", null)]
    public void A_paired_device_is_found_by_its_id(string json, string? expected) => Show(PendingPairing.FindPaired(Parse(json), "d")).ShouldBe(expected);

    private static JsonElement Parse(string json) => JsonSerializer.Deserialize<JsonElement>(json);

    private static string? Show(PendingPairing? found) => found is null ? null : $"{found.Device} [{found.Roles}] [{found.Scopes}]";
}
