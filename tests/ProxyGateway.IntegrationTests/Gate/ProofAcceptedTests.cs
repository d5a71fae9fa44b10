using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>The proofs that real clients of several versions send.</summary>
public sealed class ProofAcceptedTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private static readonly Dictionary<string, Ask> Asks = new()
    {
        ["v3"] = new Ask { Version = "v3" },
        ["v2"] = new Ask { Version = "v2" },
        ["v4, for a profile"] = new Ask { Version = "v4", Profile = "profile-human-1", DeviceFamily = "Phone" },
        ["v3, protocol 3"] = new Ask { Version = "v3", Protocol = 3 },
        ["v2, protocol 3"] = new Ask { Version = "v2", Protocol = 3 },
        ["v2, platform changed, which it does not sign"] = new Ask { Version = "v2", Tamper = f => f.Client()["platform"] = "other" },
        ["no protocol"] = new Ask { Tamper = f => f.Params().Remove("maxProtocol") },
        ["no role"] = new Ask { Role = null },
        ["no scopes"] = new Ask { Scopes = null },
        ["scopes in any order, repeated"] = new Ask { Scopes = ["operator.write", "operator.read", "operator.write"] },
        ["no token"] = new Ask { Token = null },
        ["empty auth"] = new Ask { Token = null, Tamper = f => f.Params()["auth"] = new JsonObject() },
        ["empty token"] = new Ask { Token = "" },
        ["empty token before the others"] = new Ask
        {
            Token = "",
            Tamper = f => f.Params()["auth"] = new JsonObject { ["token"] = "", ["deviceToken"] = "d", ["bootstrapToken"] = "b" },
        },
        ["device token"] = new Ask
        {
            Token = "d",
            Tamper = f => f.Params()["auth"] = new JsonObject { ["deviceToken"] = "d", ["bootstrapToken"] = "b" },
        },
        ["bootstrap token"] = new Ask { Token = "b", Tamper = f => f.Params()["auth"] = new JsonObject { ["bootstrapToken"] = "b" } },
        ["token with blanks, signed as it is"] = new Ask { Token = " secret " },
        ["a password, which is not signed"] = new Ask { Tamper = f => f.Params()["auth"]!["password"] = "p" },
        ["platform trimmed and lowered, ASCII only"] = new Ask { Platform = " LinuxX ", DeviceFamily = "PhOnE" },
        ["no platform"] = new Ask { Platform = "", Tamper = f => f.Client().Remove("platform") },
        ["members that the gate does not know"] = new Ask { Tamper = f => f.Params()["modelCatalog"] = new JsonObject { ["x"] = 1.5 } },
        ["signature padded"] = new Ask { Tamper = f => f.Device()["signature"] += "==" },
        ["signature in base64"] = new Ask { Tamper = f => f.Device()["signature"] = Standard(f.Device()["signature"]) },
        ["key padded"] = new Ask { Tamper = f => f.Device()["publicKey"] += "=" },
        ["key in base64"] = new Ask { Tamper = f => f.Device()["publicKey"] = Standard(f.Device()["publicKey"]) },
        ["key in base64, padded"] = new Ask { Tamper = f => f.Device()["publicKey"] = Standard(f.Device()["publicKey"]) + "=" },
        ["key in PEM"] = new Ask { Tamper = f => f.Device()["publicKey"] = Pem(f.Device()["publicKey"], "\n") },
        ["key in PEM, lines ended as on Windows"] = new Ask { Tamper = f => f.Device()["publicKey"] = Pem(f.Device()["publicKey"], "\r\n") },
    };

    public static TheoryData<string> Accepted => [.. Asks.Keys];

    [Theory]
    [MemberData(nameof(Accepted))]
    public async Task A_proof_is_accepted_in_every_encoding_that_clients_use(string what)
    {
        var device = new TestDevice();
        await using Encounter encounter = await Encounter.AskAsync(shared.Gateway, device, Asks[what] with { SignedAt = DateTimeOffset.UtcNow });

        await encounter.ShouldBeAdmittedAsync();

        // However the key was spelled, it is on record in one way.
        (await shared.Gateway.FindAsync(device))!.PublicKey.ShouldBe(device.PublicKey);
    }

    [Theory]
    [InlineData(-120_000, true)]
    [InlineData(120_000, true)]
    [InlineData(-120_001, false)]
    [InlineData(120_001, false)]
    public async Task A_signature_is_good_for_two_minutes_either_way(int milliseconds, bool isGood)
    {
        var now = new DateTimeOffset(2030, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
        await using TestGateway gateway = await TestGateway.StartAsync(time: new FakeTimeProvider(now));
        var device = new TestDevice();

        Encounter encounter = await Encounter.AskAsync(gateway, device, new Ask { SignedAt = now.AddMilliseconds(milliseconds) });

        if (isGood)
        {
            await encounter.ShouldBeAdmittedAsync();
            await encounter.DisposeAsync();
        }
        else
        {
            await encounter.ShouldBeClosedAsync(1008, "device signature expired");
        }
    }

    private static string Standard(JsonNode? text) => text!.GetValue<string>().Replace('-', '+').Replace('_', '/');

    private static string Pem(JsonNode? key, string newLine)
    {
        byte[] raw = Convert.FromBase64String(Standard(key) + "=");
        byte[] spki = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00, .. raw];
        string body = Convert.ToBase64String(spki).Insert(20, newLine);
        return $"-----BEGIN PUBLIC KEY-----{newLine}{body}{newLine}-----END PUBLIC KEY-----{newLine}";
    }
}
