using System.Text.Json;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Requests that are JSON, but not what the protocol says. They are signed as they are, so that nothing but the shape is wrong.</summary>
public sealed class StrictRequestTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private const string Misspelled = "a member is spelled unlike the protocol's";

    private static readonly Dictionary<string, (Ask Ask, string Problem)> Malformed = new()
    {
        ["another method"] = (Tampered(f => f["method"] = "health"), "the first request must be connect"),
        ["method in another case"] = (Tampered(f => f["method"] = "Connect"), "the first request must be connect"),
        ["no method"] = (Tampered(f => f.Remove("method")), "the first request must be connect"),
        ["method null"] = (Tampered(f => f["method"] = null), "the first request must be connect"),
        ["no params"] = (Tampered(f => f.Remove("params")), "params must be an object"),
        ["params null"] = (Tampered(f => f["params"] = null), "params must be an object"),
        ["params an array"] = (Tampered(f => f["params"] = new JsonArray()), "params must be an object"),
        ["params a text"] = (Tampered(f => f["params"] = "{}"), "params must be an object"),

        ["type in capitals too"] = (Tampered(f => f["TYPE"] = "req"), Misspelled),
        ["params with a capital too"] = (Tampered(f => f["Params"] = new JsonObject { ["role"] = "node" }), Misspelled),
        ["role with a capital too"] = (Tampered(f => f.Params()["Role"] = "node"), Misspelled),
        ["scopes in capitals too"] = (Tampered(f => f.Params()["SCOPES"] = new JsonArray("operator.admin")), Misspelled),
        ["scopes with a long s too"] = (Tampered(f => f.Params()["\u017Fcopes"] = new JsonArray("operator.admin")), Misspelled),
        ["role in another case, and none as the protocol has it"] = (new Ask { Role = null, Tamper = f => f.Params()["rolE"] = "node" }, Misspelled),
        ["token with the Kelvin sign too"] = (Tampered(f => f.Params()["auth"]!["to\u212Aen"] = "x"), Misspelled),
        ["client id in capitals too"] = (Tampered(f => f.Client()["ID"] = "x"), Misspelled),
        ["device id in capitals too"] = (Tampered(f => f.Device()["ID"] = "x"), Misspelled),

        ["no client"] = (Tampered(f => f.Params().Remove("client")), "params.client is malformed"),
        ["client null"] = (Tampered(f => f.Params()["client"] = null), "params.client is malformed"),
        ["client an array"] = (Tampered(f => f.Params()["client"] = new JsonArray()), "params.client is malformed"),
        ["no client id"] = (Tampered(f => f.Client().Remove("id")), "params.client is malformed"),
        ["client id null"] = (Tampered(f => f.Client()["id"] = null), "params.client is malformed"),
        ["client id empty"] = (new Ask { ClientId = "" }, "params.client is malformed"),
        ["client id a number"] = (Tampered(f => f.Client()["id"] = 1), "params.client is malformed"),
        ["client id with a bar, which shifts what is signed"] = (new Ask { ClientId = "cli|cli" }, "params.client is malformed"),
        ["client id with a comma"] = (new Ask { ClientId = "a,b" }, "params.client is malformed"),
        ["client id with a line break"] = (new Ask { ClientId = "a\nb" }, "params.client is malformed"),
        ["no client mode"] = (Tampered(f => f.Client().Remove("mode")), "params.client is malformed"),
        ["client mode with a bar"] = (new Ask { ClientMode = "cli|operator" }, "params.client is malformed"),
        ["client mode a list"] = (Tampered(f => f.Client()["mode"] = new JsonArray("cli")), "params.client is malformed"),
        ["platform null"] = (Tampered(f => f.Client()["platform"] = null), "params.client is malformed"),
        ["platform with a bar"] = (new Ask { Platform = "a|b" }, "params.client is malformed"),
        ["platform with NUL"] = (new Ask { Platform = "a\0b" }, "params.client is malformed"),
        ["platform with a C1 control"] = (new Ask { Platform = "linux\u0085" }, "params.client is malformed"),
        ["device family a number"] = (Tampered(f => f.Client()["deviceFamily"] = 1), "params.client is malformed"),
        ["device family with a bar"] = (new Ask { DeviceFamily = "a|b" }, "params.client is malformed"),
        ["display name a number"] = (Tampered(f => f.Client()["displayName"] = 1), "params.client is malformed"),
        ["display name null"] = (Tampered(f => f.Client()["displayName"] = null), "params.client is malformed"),
        ["display name over-long"] = (new Ask { DisplayName = new string('x', 5000) }, "params.client is malformed"),

        ["protocol a text"] = (Tampered(f => f.Params()["maxProtocol"] = "4"), "the protocol versions must be integers"),
        ["protocol null"] = (Tampered(f => f.Params()["minProtocol"] = null), "the protocol versions must be integers"),
        ["protocol with a fraction"] = (Tampered(f => f.Params()["maxProtocol"] = 3.5), "the protocol versions must be integers"),
        ["protocol huge"] = (Tampered(f => f.Params()["maxProtocol"] = long.MaxValue), "the protocol versions must be integers"),

        ["role null"] = (Tampered(f => f.Params()["role"] = null), "params.role is malformed"),
        ["role empty"] = (new Ask { Role = "" }, "params.role is malformed"),
        ["role a list"] = (Tampered(f => f.Params()["role"] = new JsonArray("operator")), "params.role is malformed"),
        ["role an object"] = (Tampered(f => f.Params()["role"] = new JsonObject()), "params.role is malformed"),
        ["role with a bar"] = (new Ask { Role = "operator|operator.admin" }, "params.role is malformed"),
        ["role with a comma"] = (new Ask { Role = "operator,node" }, "params.role is malformed"),
        ["role with a star"] = (new Ask { Role = "*" }, "params.role is malformed"),
        ["role with a blank"] = (new Ask { Role = "operator " }, "params.role is malformed"),
        ["role with a line break"] = (new Ask { Role = "operator\n" }, "params.role is malformed"),
        ["role with a letter that is not ASCII"] = (new Ask { Role = "оperator" }, "params.role is malformed"),
        ["role over-long"] = (new Ask { Role = new string('r', 129) }, "params.role is malformed"),

        ["scopes null"] = (Tampered(f => f.Params()["scopes"] = null), "params.scopes is malformed"),
        ["scopes a text"] = (Tampered(f => f.Params()["scopes"] = "operator.read"), "params.scopes is malformed"),
        ["scopes an object"] = (Tampered(f => f.Params()["scopes"] = new JsonObject()), "params.scopes is malformed"),
        ["scope null"] = (Tampered(f => f.Params()["scopes"] = new JsonArray((JsonNode?)null)), "params.scopes is malformed"),
        ["scope a number"] = (Tampered(f => f.Params()["scopes"] = new JsonArray(1)), "params.scopes is malformed"),
        ["scope a list"] = (Tampered(f => f.Params()["scopes"] = new JsonArray(new JsonArray("a"))), "params.scopes is malformed"),
        ["scope empty"] = (Scoped(""), "params.scopes is malformed"),
        ["scope of a blank"] = (Scoped(" "), "params.scopes is malformed"),
        ["scope padded"] = (Scoped(" operator.read"), "params.scopes is malformed"),
        ["scope with a comma, which signs like two"] = (Scoped("operator.read,operator.admin"), "params.scopes is malformed"),
        ["scope with a bar"] = (Scoped("operator.read|1"), "params.scopes is malformed"),
        ["scope with a star"] = (Scoped("operator.*"), "params.scopes is malformed"),
        ["scope with NUL"] = (Scoped("operator.read\0"), "params.scopes is malformed"),
        ["scope with a tab"] = (Scoped("operator.\tread"), "params.scopes is malformed"),
        ["scope with a right-to-left override"] = (Scoped("operator.\u202Eread"), "params.scopes is malformed"),
        ["scope over-long"] = (Scoped(new string('s', 129)), "params.scopes is malformed"),
        ["second scope malformed"] = (Scoped("operator.read", "a b"), "params.scopes is malformed"),
        ["too many scopes"] = (Scoped([.. Enumerable.Range(0, 65).Select(i => $"s{i}")]), "params.scopes is malformed"),

        ["auth null"] = (Tampered(f => f.Params()["auth"] = null), "params.auth is malformed"),
        ["auth a text"] = (Tampered(f => f.Params()["auth"] = "secret"), "params.auth is malformed"),
        ["token null"] = (Tampered(f => f.Params()["auth"]!["token"] = null), "params.auth is malformed"),
        ["token a number"] = (Tampered(f => f.Params()["auth"]!["token"] = 1), "params.auth is malformed"),
        ["token with a bar"] = (new Ask { Token = "a|b" }, "params.auth is malformed: a token must not hold a comma, a | or a control character"),
        ["token with a line break"] = (new Ask { Token = "a\nb" }, "params.auth is malformed: a token must not hold a comma, a | or a control character"),
        ["another token null"] = (Tampered(f => f.Params()["auth"]!["deviceToken"] = null), "params.auth is malformed"),
        ["another token a number"] = (Tampered(f => f.Params()["auth"]!["bootstrapToken"] = 1), "params.auth is malformed"),

        ["device null"] = (Tampered(f => f.Params()["device"] = null), "params.device is malformed"),
        ["device a list"] = (Tampered(f => f.Params()["device"] = new JsonArray()), "params.device is malformed"),
        ["device empty"] = (Tampered(f => f.Params()["device"] = new JsonObject()), "params.device is malformed"),
        ["no device id"] = (Tampered(f => f.Device().Remove("id")), "params.device is malformed"),
        ["device id null"] = (Tampered(f => f.Device()["id"] = null), "params.device is malformed"),
        ["no key"] = (Tampered(f => f.Device().Remove("publicKey")), "params.device is malformed"),
        ["key a list of bytes"] = (Tampered(f => f.Device()["publicKey"] = new JsonArray(1, 2)), "params.device is malformed"),
        ["key over-long"] = (Tampered(f => f.Device()["publicKey"] = new string('A', 5000)), "params.device is malformed"),
        ["no signature"] = (Tampered(f => f.Device().Remove("signature")), "params.device is malformed"),
        ["signature null"] = (Tampered(f => f.Device()["signature"] = null), "params.device is malformed"),
        ["nonce null"] = (Tampered(f => f.Device()["nonce"] = null), "params.device is malformed"),
        ["nonce a list of it"] = (Tampered(f => f.Device()["nonce"] = new JsonArray("a-nonce")), "params.device is malformed"),
        ["no time"] = (Tampered(f => f.Device().Remove("signedAt")), "params.device is malformed"),
        ["time null"] = (Tampered(f => f.Device()["signedAt"] = null), "params.device is malformed"),
        ["time a text"] = (Tampered(f => f.Device()["signedAt"] = f.Device()["signedAt"]!.ToString()), "params.device is malformed"),
        ["time with a fraction of nothing"] = (Tampered(f => f.Device()["signedAt"] = JsonNode.Parse(f.Device()["signedAt"] + ".0")), "params.device is malformed"),
        ["time with an exponent"] = (Tampered(f => f.Device()["signedAt"] = JsonNode.Parse(f.Device()["signedAt"] + "e0")), "params.device is malformed"),
        ["time huge"] = (Tampered(f => f.Device()["signedAt"] = JsonNode.Parse("1" + new string('0', 400))), "params.device is malformed"),
        ["time just beyond 64 bits"] = (Tampered(f => f.Device()["signedAt"] = JsonNode.Parse("9223372036854775808")), "params.device is malformed"),
    };

    public static TheoryData<string> Refused => [.. Malformed.Keys];

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_malformed_request_is_refused_with_the_reason(string what)
    {
        var device = new TestDevice();
        (Ask ask, string problem) = Malformed[what];
        Encounter encounter = await Encounter.AskAsync(shared.Gateway, device, ask with { SignedAt = DateTimeOffset.UtcNow });

        JsonElement? answer = await encounter.ShouldBeClosedAsync(1008, $"invalid handshake: {problem}");

        answer.ShouldNotBeNull();
        answer.Value.GetProperty("id").GetString().ShouldBe("connect-1");
        answer.Value.GetProperty("ok").GetBoolean().ShouldBeFalse();
        answer.Value.GetProperty("error").GetProperty("code").GetString().ShouldBe("INVALID_REQUEST");
        answer.Value.GetProperty("error").GetProperty("message").GetString().ShouldBe($"invalid handshake: {problem}");
        answer.Value.GetProperty("error").TryGetProperty("details", out _).ShouldBeFalse();
        (await shared.Gateway.FindAsync(device)).ShouldBeNull();
    }

    [Fact]
    public async Task The_longest_allowed_names_are_accepted()
    {
        var ask = new Ask
        {
            Id = new string('i', 256),
            Role = new string('r', 128),
            Scopes = [.. Enumerable.Range(0, 64).Select(i => $"{i}{new string('s', 126)}"[..127])],
            Token = new string('t', 4096),
        };
        var device = new TestDevice();
        var claim = new DeviceClaim(device.Id, device.PublicKey, ask.Role!, ScopeSet.Of(ask.Scopes!), new ClientDescription()); // more than a rule approves
        await shared.Gateway.Store.SwapAsync(new DeviceSwap(null, Some.Paired(claim, DateTimeOffset.UtcNow), ExpiresAt: null, PendingLimits.None), default);
        await using Encounter encounter = await Encounter.AskAsync(shared.Gateway, device, ask);

        await encounter.ShouldBeAdmittedAsync(ask.Id);
    }

    private static Ask Tampered(Action<JsonObject> tamper) => new() { Tamper = tamper };

    private static Ask Scoped(params string[] scopes) => new() { Scopes = scopes };
}
