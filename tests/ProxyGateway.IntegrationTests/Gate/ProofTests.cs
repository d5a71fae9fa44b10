using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Every way in which a proof can fail. Whatever it is, the backend hears nothing and the registry learns nothing.</summary>
public sealed class ProofTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private static readonly TestDevice Other = new();

    // One that fails several checks at once shows which comes first.
    private static readonly Dictionary<string, Func<TestDevice, Ask>> SignatureInvalid = new()
    {
        ["a profile that version 3 does not sign"] = _ => new Ask { Profile = "profile-human-1" },
        ["a profile that version 2 does not sign"] = _ => new Ask { Version = "v2", Profile = "profile-human-1" },
        ["a profile changed"] = _ => new Ask
        {
            Version = "v4",
            Profile = "profile-human-1",
            Tamper = f => f.Params()["auth"]!["trustedBrokerProfileId"] = "profile-human-2",
        },
        ["a profile removed"] = _ => new Ask
        {
            Version = "v4",
            Profile = "profile-human-1",
            Tamper = f => f.Params()["auth"]!.AsObject().Remove("trustedBrokerProfileId"),
        },
        ["no signature"] = _ => Tampered(f => f.Device()["signature"] = ""),
        ["signature of another key"] = d => Tampered(f => f.Device()["signature"] = Other.Sign(new Ask().PayloadOf(d, (long)f.Device()["signedAt"]!))),
        ["signature of something else"] = d => Tampered(f => f.Device()["signature"] = d.Sign("something else")),
        ["signature with one bit changed"] = _ => Tampered(f => f.Device()["signature"] = Flip(Text(f.Device()["signature"]), 5)),
        ["signature with S + L, which means the same"] = _ => Tampered(f => f.Device()["signature"] = Malleate(Text(f.Device()["signature"]))),
        ["signature of 63 bytes"] = _ => Tampered(f => f.Device()["signature"] = Base64Url.EncodeToString(new byte[63])),
        ["signature of 65 bytes"] = _ => Tampered(f => f.Device()["signature"] = Base64Url.EncodeToString(new byte[65])),
        ["signature with a blank in it"] = _ => Tampered(f => f.Device()["signature"] = Text(f.Device()["signature"]).Insert(20, " ")),
        ["role changed"] = _ => Tampered(f => f.Params()["role"] = "node"),
        ["role dropped"] = _ => Tampered(f => f.Params().Remove("role"), new Ask { Role = "node" }),
        ["scope added"] = _ => Tampered(f => f.Params()["scopes"]!.AsArray().Add("operator.admin")),
        ["scopes reordered"] = _ => Tampered(f => f.Params()["scopes"] = new JsonArray("b", "a"), new Ask { Scopes = ["a", "b"] }),
        ["scope repeated"] = _ => Tampered(f => f.Params()["scopes"] = new JsonArray("a", "a"), new Ask { Scopes = ["a"] }),
        ["scopes dropped"] = _ => Tampered(f => f.Params().Remove("scopes")),
        ["token changed"] = _ => Tampered(f => f.Params()["auth"]!["token"] = "other"),
        ["token dropped"] = _ => Tampered(f => f.Params().Remove("auth")),
        ["token added"] = _ => Tampered(f => f.Params()["auth"] = new JsonObject { ["token"] = "secret" }, new Ask { Token = null }),
        ["device token before the bootstrap token"] = _ => Tampered(
            f => f.Params()["auth"] = new JsonObject { ["bootstrapToken"] = "b", ["deviceToken"] = "d" }, new Ask { Token = "b" }),
        ["an empty token is a token"] = _ => Tampered(
            f => f.Params()["auth"] = new JsonObject { ["token"] = "", ["deviceToken"] = "d" }, new Ask { Token = "d" }),
        ["client id changed"] = _ => Tampered(f => f.Client()["id"] = "webchat"),
        ["client mode changed"] = _ => Tampered(f => f.Client()["mode"] = "ui"),
        ["v3, platform changed"] = _ => Tampered(f => f.Client()["platform"] = "macos"),
        ["v3, device family changed"] = _ => Tampered(f => f.Client()["deviceFamily"] = "Phone"),
        ["v3, protocol 3, platform changed"] = _ => Tampered(f => f.Client()["platform"] = "macos", new Ask { Protocol = 3 }),
        ["time changed"] = _ => Tampered(f => f.Device()["signedAt"] = (long)f.Device()["signedAt"]! + 1),
        ["v1"] = _ => new Ask { Version = "v1" },
        ["v1, without a nonce in it"] = d => Tampered(f => f.Device()["signature"] = d.Sign(
            string.Join('|', (new Ask { Version = "v1" }).PayloadOf(d, (long)f.Device()["signedAt"]!).Split('|')[..^1]))),
        ["v4"] = _ => new Ask { Version = "v4" },
    };

    private static readonly Dictionary<string, Func<TestDevice, Ask>> KeyInvalid = new()
    {
        ["empty"] = _ => WithKey(""),
        ["31 bytes"] = d => WithKey(Base64Url.EncodeToString(d.Key.AsSpan(1))),
        ["33 bytes"] = d => WithKey(Base64Url.EncodeToString([.. d.Key, 0])),
        ["not base64"] = _ => WithKey(new string('!', 43)),
        ["hex"] = d => WithKey(Convert.ToHexStringLower(d.Key)),
        ["a blank in it"] = d => WithKey(d.PublicKey.Insert(4, " ")),
        ["a blank around it"] = d => WithKey(d.PublicKey + " "),
        ["both alphabets at once"] = _ => WithKey("+-" + new string('A', 41)),
        ["too much padding"] = d => WithKey(d.PublicKey + "=="),
        ["padding in the middle"] = d => WithKey("=" + d.PublicKey),
        ["spare bits set"] = _ => WithKey(new string('A', 42) + "B"),
        ["PEM of another algorithm"] = d => WithKey(Pem([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x6E, 0x03, 0x21, 0x00, .. d.Key])),
        ["PEM of a private key"] = d => WithKey(Pem(Spki(d)).Replace("PUBLIC", "PRIVATE", StringComparison.Ordinal)),
        ["PEM without its end"] = d => WithKey(Pem(Spki(d))[..^20]),
        ["PEM with something behind it"] = d => WithKey(Pem(Spki(d)) + "x"),
        ["PEM's two ends alone"] = _ => WithKey("-----BEGIN PUBLIC KEY-----"),
    };

    private static readonly Dictionary<string, Func<TestDevice, (Ask Ask, string Reason, string Details, string Name)>> Others = new()
    {
        ["id of another device"] = _ => (Tampered(f => f.Device()["id"] = Other.Id.ToString()), "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ["id in upper case"] = d => (Tampered(f => f.Device()["id"] = d.Id.ToString().ToUpperInvariant()), "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ["id with a blank"] = d => (Tampered(f => f.Device()["id"] = d.Id + " "), "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ["id cut off"] = d => (Tampered(f => f.Device()["id"] = d.Id.ToString()[..32]), "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ["id empty"] = _ => (Tampered(f => f.Device()["id"] = ""), "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ["key of another device"] = _ => (WithKey(Other.PublicKey), "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ["nonce absent"] = _ => (Tampered(f => f.Device().Remove("nonce")), "device nonce required", "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing"),
        ["nonce empty"] = _ => (new Ask { Nonce = "" }, "device nonce required", "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing"),
        ["nonce of another connection"] = _ => (new Ask { Nonce = "another" }, "device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"),
        ["nonce in upper case"] = _ => (new Ask { Nonce = "A-NONCE" }, "device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"),
        ["nonce padded, as backends would trim it"] = _ => (new Ask { Nonce = " a-nonce " }, "device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"),
        ["stale"] = _ => (new Ask { SignedAt = DateTimeOffset.UtcNow.AddMinutes(-3) }, "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
        ["from the future"] = _ => (new Ask { SignedAt = DateTimeOffset.UtcNow.AddMinutes(3) }, "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
        ["as late as there is"] = _ => (Tampered(f => f.Device()["signedAt"] = long.MaxValue), "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
        ["as early as there is"] = _ => (Tampered(f => f.Device()["signedAt"] = long.MinValue), "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
        ["in seconds"] = _ => (Tampered(f => f.Device()["signedAt"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds()), "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
    };

    public static TheoryData<string> SignaturesRefused => [.. SignatureInvalid.Keys];

    public static TheoryData<string> KeysRefused => [.. KeyInvalid.Keys];

    public static TheoryData<string> OthersRefused => [.. Others.Keys];

    [Theory]
    [MemberData(nameof(SignaturesRefused))]
    public async Task A_signature_that_does_not_fit_is_refused(string what)
    {
        var device = new TestDevice();
        await ShouldBeRefusedAsync(device, SignatureInvalid[what](device), "device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature");
    }

    [Theory]
    [MemberData(nameof(KeysRefused))]
    public async Task An_invalid_public_key_is_refused(string what)
    {
        var device = new TestDevice();
        await ShouldBeRefusedAsync(device, KeyInvalid[what](device), "device public key invalid", "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key");
    }

    [Theory]
    [MemberData(nameof(OthersRefused))]
    public async Task A_proof_that_is_not_of_this_device_connection_and_moment_is_refused(string what)
    {
        var device = new TestDevice();
        (Ask ask, string reason, string details, string name) = Others[what](device);
        await ShouldBeRefusedAsync(device, ask, reason, details, name);
    }

    [Fact]
    public async Task A_connect_without_a_device_is_refused()
    {
        var device = new TestDevice();
        await ShouldBeRefusedAsync(
            device, Tampered(f => f.Params().Remove("device")), "device identity required", "DEVICE_IDENTITY_REQUIRED", null, code: "NOT_PAIRED");
    }

    [Fact]
    public async Task A_recorded_request_is_refused_on_another_connection()
    {
        var device = new TestDevice();
        string recorded = new Ask().SignedBy(device);
        await using (Encounter first = await Encounter.OpenAsync(shared.Gateway))
        {
            await first.Client.SendTextAsync(recorded);
            await first.ShouldBeAdmittedAsync();
        }

        shared.Gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("the-next-nonce"));
            await TestBackend.AnswerAsync(client);
        };
        try
        {
            Encounter second = await Encounter.OpenAsync(shared.Gateway);
            await second.Client.SendTextAsync(recorded);
            JsonElement? answer = await second.ShouldBeClosedAsync(1008, "device nonce mismatch");
            Details(answer).ShouldBe(("DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"));
        }
        finally
        {
            shared.Gateway.Backend.Script = TestBackend.AgentAsync;
        }
    }

    private async Task ShouldBeRefusedAsync(TestDevice device, Ask ask, string reason, string details, string? name, string code = "INVALID_REQUEST")
    {
        Encounter encounter = await Encounter.AskAsync(shared.Gateway, device, ask);

        JsonElement? answer = await encounter.ShouldBeClosedAsync(1008, reason);

        answer.ShouldNotBeNull();
        answer.Value.GetProperty("type").GetString().ShouldBe("res");
        answer.Value.GetProperty("id").GetString().ShouldBe("connect-1");
        answer.Value.GetProperty("ok").GetBoolean().ShouldBeFalse();
        answer.Value.GetProperty("error").GetProperty("code").GetString().ShouldBe(code);
        answer.Value.GetProperty("error").GetProperty("message").GetString().ShouldBe(reason);
        Details(answer).ShouldBe((details, name));
        (await shared.Gateway.FindAsync(device)).ShouldBeNull();
    }

    private static (string?, string?) Details(JsonElement? answer)
    {
        JsonElement details = answer!.Value.GetProperty("error").GetProperty("details");
        return (details.GetProperty("code").GetString(), details.TryGetProperty("reason", out JsonElement name) ? name.GetString() : null);
    }

    private static Ask Tampered(Action<JsonObject> tamper, Ask? ask = null) => (ask ?? new Ask()) with { Tamper = tamper };

    private static Ask WithKey(string text) => Tampered(f => f.Device()["publicKey"] = text);

    private static string Text(JsonNode? node) => node!.GetValue<string>();

    private static string Pem(byte[] spki) => $"-----BEGIN PUBLIC KEY-----\n{Convert.ToBase64String(spki)}\n-----END PUBLIC KEY-----\n";

    private static byte[] Spki(TestDevice device) => [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00, .. device.Key];

    private static string Flip(string signature, int at)
    {
        byte[] bytes = Base64Url.DecodeFromChars(signature);
        bytes[at] ^= 1;
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>RFC 8032 §8.4: a verifier that does not check S against the group's order L accepts S + L too.</summary>
    private static string Malleate(string signature)
    {
        byte[] order = Convert.FromHexString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        byte[] bytes = Base64Url.DecodeFromChars(signature);
        int carry = 0;
        for (int i = 0; i < order.Length; i++)
        {
            carry += bytes[32 + i] + order[i];
            bytes[32 + i] = (byte)carry;
            carry >>= 8;
        }

        carry.ShouldBe(0);
        return Base64Url.EncodeToString(bytes);
    }
}
