using System.Buffers.Text;
using System.Text;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What a proof must hold, check by check, and what exactly is signed.</summary>
public sealed class ConnectProofTableTests : IDisposable
{
    private const long Minutes = 60_000;
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);

    private readonly PayloadVersions _versions = new();
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);

    private byte[] PublicKey => _key.PublicKey.Export(KeyBlobFormat.RawPublicKey);

    [Fact]
    public void A_valid_proof_gives_the_requested_claim()
    {
        ConnectRequest request = Sign(Unsigned() with { Scopes = ["b", "a", "b"], DisplayName = "Anna's" });

        ConnectProof.Verify(request, "nonce", Now, TimeSpan.FromMinutes(2), _versions, out var claim).ShouldBe(ProofFailure.None);

        (claim.Device, claim.PublicKey, claim.Role).ShouldBe((DeviceId.Of(PublicKey), Base64Url.EncodeToString(PublicKey), "operator"));
        claim.Scopes.ShouldBe(ScopeSet.Of("a", "b"));
        claim.Client.ShouldBe(new ClientDescription("cli", "Anna's", "Linux", "ui"));
    }

    // The time that was signed, from now on.
    [Theory]
    [InlineData(0, ProofFailure.None)]
    [InlineData(-2 * Minutes, ProofFailure.None)]
    [InlineData((-2 * Minutes) - 1, ProofFailure.SignatureExpired)]
    [InlineData(2 * Minutes, ProofFailure.None)]
    [InlineData((2 * Minutes) + 1, ProofFailure.SignatureExpired)]
    [InlineData(long.MinValue / 2, ProofFailure.SignatureExpired)]
    [InlineData(long.MaxValue / 2, ProofFailure.SignatureExpired)]
    internal void A_signature_is_neither_old_nor_of_the_future(long offset, ProofFailure expected) =>
        Verify(Sign(Unsigned() with { Device = Device() with { SignedAt = Now.ToUnixTimeMilliseconds() + offset } })).ShouldBe(expected);

    [Theory]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public void A_time_at_the_end_of_its_range_does_not_overflow_into_now(long time) =>
        Verify(Sign(Unsigned() with { Device = Device() with { SignedAt = time } })).ShouldBe(ProofFailure.SignatureExpired);

    [Fact]
    public void The_first_check_that_fails_is_the_answer()
    {
        ConnectDevice wrong = new(Id: "x", PublicKey: "x", Signature: "x", SignedAt: 0, Nonce: null);

        Verify(Unsigned() with { Device = null }).ShouldBe(ProofFailure.IdentityRequired);
        Verify(wrong).ShouldBe(ProofFailure.PublicKeyInvalid);
        wrong = wrong with { PublicKey = Device().PublicKey };
        Verify(wrong).ShouldBe(ProofFailure.IdentityMismatch);
        wrong = wrong with { Id = Device().Id };
        Verify(wrong).ShouldBe(ProofFailure.NonceRequired);
        wrong = wrong with { Nonce = "other" };
        Verify(wrong).ShouldBe(ProofFailure.NonceMismatch);
        wrong = wrong with { Nonce = "nonce" };
        Verify(wrong).ShouldBe(ProofFailure.SignatureExpired);
        wrong = wrong with { SignedAt = Device().SignedAt };
        Verify(wrong).ShouldBe(ProofFailure.SignatureInvalid);
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F")]
    public void A_key_that_nobody_in_particular_holds_is_none(string hex)
    {
        byte[] key = Convert.FromHexString(hex);
        ConnectDevice device = Device() with { PublicKey = Base64Url.EncodeToString(key), Id = DeviceId.Of(key).ToString() };

        Verify(device).ShouldBe(ProofFailure.PublicKeyInvalid);
    }

    [Theory]
    [InlineData("")]
    [InlineData("A50BAA56832BD8E6DD592F137677DEBEA9DB809C374B089EA6989B608FE67E6F")]
    [InlineData("a50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6f")]
    public void The_id_is_the_hash_of_the_key(string id) => Verify(Device() with { Id = id }).ShouldBe(ProofFailure.IdentityMismatch);

    [Theory]
    [InlineData(null, ProofFailure.NonceRequired)]
    [InlineData("", ProofFailure.NonceRequired)]
    [InlineData("Nonce", ProofFailure.NonceMismatch)]
    [InlineData("nonce ", ProofFailure.NonceMismatch)]
    internal void The_nonce_is_the_challenges(string? nonce, ProofFailure expected) => Verify(Device() with { Nonce = nonce }).ShouldBe(expected);

    [Fact]
    public void A_change_of_any_signed_member_invalidates_the_proof()
    {
        foreach (bool isVersionTwo in (bool[])[false, true])
        {
            ConnectRequest signed = Sign(Unsigned(), isVersionTwo);
            Verify(signed).ShouldBe(ProofFailure.None);

            Verify(signed with { ClientId = "other" }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { ClientMode = "other" }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { Role = "node" }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { Scopes = ["a"] }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { Scopes = ["b", "a"] }).ShouldBe(ProofFailure.SignatureInvalid, "in the order in which they were sent");
            Verify(signed with { Scopes = ["ab"] }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { SignedToken = "other" }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { Device = signed.Device! with { SignedAt = signed.Device.SignedAt + 1 } }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { Device = signed.Device with { Signature = signed.Device.Signature[1..] } }).ShouldBe(ProofFailure.SignatureInvalid);
            Verify(signed with { Device = signed.Device with { Signature = Base64Url.EncodeToString(new byte[64]) } }).ShouldBe(ProofFailure.SignatureInvalid);

            // The second version of the protocol's payload did not have these.
            ProofFailure expected = isVersionTwo ? ProofFailure.None : ProofFailure.SignatureInvalid;
            Verify(signed with { Platform = "other" }).ShouldBe(expected);
            Verify(signed with { DeviceFamily = "other" }).ShouldBe(expected);
            Verify(signed with { Platform = signed.DeviceFamily, DeviceFamily = signed.Platform }).ShouldBe(expected);
        }
    }

    [Theory]
    [InlineData("Linux", "linux")]
    [InlineData(" \tmacOS 15\n", "macos 15")]
    [InlineData("AZ@[`{az", "az@[`{az")]
    [InlineData("ÄÖ-Phone", "ÄÖ-phone")]
    [InlineData("linux", "linux")]
    [InlineData("", "")]
    public void Platform_and_family_are_signed_trimmed_and_in_lower_case(string sent, string written)
    {
        Verify(Sign(Unsigned() with { Platform = sent }, platform: written)).ShouldBe(ProofFailure.None);
        Verify(Sign(Unsigned() with { DeviceFamily = sent }, family: written)).ShouldBe(ProofFailure.None);
    }

    public void Dispose() => _key.Dispose();

    private ProofFailure Verify(ConnectDevice device) => Verify(Unsigned() with { Device = device });

    private ProofFailure Verify(ConnectRequest request)
    {
        ProofFailure failure = ConnectProof.Verify(request, "nonce", Now, TimeSpan.FromMinutes(2), _versions, out var claim);
        (claim is null).ShouldBe(failure != ProofFailure.None, "there is a claim only once it is proved");
        return failure;
    }

    private ConnectDevice Device() => new(
        DeviceId.Of(PublicKey).ToString(), Base64Url.EncodeToString(PublicKey), Base64Url.EncodeToString(new byte[64]), Now.ToUnixTimeMilliseconds(), "nonce");

    private ConnectRequest Unsigned() => new()
    {
        Id = "1",
        MaxProtocol = 4,
        ClientId = "cli",
        ClientMode = "ui",
        Platform = "Linux",
        DeviceFamily = "Desk",
        DisplayName = null,
        Role = "operator",
        Scopes = ["a", "b"],
        SharedToken = null,
        SignedToken = "token",
        TrustedBrokerProfileId = null,
        Device = Device(),
    };

    // As the protocol's own clients do it.
    private ConnectRequest Sign(ConnectRequest request, bool isVersionTwo = false, string? platform = null, string? family = null)
    {
        ConnectDevice device = request.Device!;
        string payload = string.Join(
            '|', isVersionTwo ? "v2" : "v3", device.Id, request.ClientId, request.ClientMode, request.Role, string.Join(',', request.Scopes), $"{device.SignedAt}", request.SignedToken, "nonce");
        if (!isVersionTwo)
            payload = $"{payload}|{platform ?? request.Platform.ToLowerInvariant()}|{family ?? request.DeviceFamily.ToLowerInvariant()}";
        byte[] signature = SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes(payload));
        return request with { Device = device with { Signature = Base64Url.EncodeToString(signature) } };
    }
}
