using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>The order of attempts follows what clients of a kind sign, and the accepted proofs stay the same; each proof that waits to be verified gets a turn.</summary>
public sealed class ConnectProofTests : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);

    private readonly PayloadVersions _versions = new();
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);

    [Fact]
    public void Both_versions_are_accepted_in_either_order()
    {
        foreach (bool isVersionTwo in (bool[])[false, true, true, false, false, true])
        {
            ConnectRequest request = Signed(isVersionTwo);
            Verify(request).ShouldBe(ProofFailure.None);
            _versions.SignsVersionTwo(request).ShouldBe(isVersionTwo);
        }
    }

    [Fact]
    public void A_failed_proof_does_not_change_which_version_is_tried_first()
    {
        ConnectRequest request = Signed(isVersionTwo: true);
        ConnectRequest forged = request with { Role = "node" };

        Verify(forged).ShouldBe(ProofFailure.SignatureInvalid);
        _versions.SignsVersionTwo(forged).ShouldBeFalse();

        Verify(request).ShouldBe(ProofFailure.None);
        Verify(Signed(isVersionTwo: false) with { Role = "node" }).ShouldBe(ProofFailure.SignatureInvalid);
        _versions.SignsVersionTwo(request).ShouldBeTrue();
    }

    [Fact]
    public void Version_four_has_the_length_before_each_field()
    {
        ConnectRequest request = Signed(isVersionTwo: false) with
        {
            ClientId = "gateway-client",
            ClientMode = "backend",
            Scopes = ["operator.read", "operator.write"],
            SignedToken = "tok-456",
            Platform = "Linux",
        };
        var device = new ConnectDevice("dev-3", "", "", 1_700_000_000_002, "nonce-ghi");

        Encoding.UTF8.GetString(ConnectProof.PayloadOfVersionFour(request, device, "nonce-ghi", "profile-human-1")).ShouldBe(
            "v4|5:dev-3|14:gateway-client|7:backend|8:operator|1:2|13:operator.read|14:operator.write|13:1700000000002|7:tok-456|9:nonce-ghi|5:linux|0:|15:profile-human-1");
    }

    [Theory]
    [InlineData("profile-human-1", "linux", true)]
    [InlineData("", "linux", true)]
    [InlineData("pröfile", "linux", false)] // bytes or characters: nobody knows
    [InlineData("profile-human-1", "línux", false)]
    public void Version_four_is_accepted_where_bytes_and_characters_are_as_many(string profile, string platform, bool isAccepted)
    {
        Verify(SignedForProfile(profile, platform)).ShouldBe(isAccepted ? ProofFailure.None : ProofFailure.SignatureInvalid);
    }

    [Fact]
    public void A_profile_is_accepted_with_the_signature_that_covers_it_alone()
    {
        ConnectRequest signed = SignedForProfile("profile-human-1", "linux");

        Verify(signed with { TrustedBrokerProfileId = "profile-human-2" }).ShouldBe(ProofFailure.SignatureInvalid);
        Verify(signed with { TrustedBrokerProfileId = null }).ShouldBe(ProofFailure.SignatureInvalid);
        Verify(signed with { Scopes = ["operator.read", "operator.admin"] }).ShouldBe(ProofFailure.SignatureInvalid);
        foreach (bool isVersionTwo in (bool[])[false, true])
        {
            ConnectRequest older = Signed(isVersionTwo);
            Verify(older).ShouldBe(ProofFailure.None);
            Verify(older with { TrustedBrokerProfileId = "profile-human-1" }).ShouldBe(ProofFailure.SignatureInvalid);
        }
    }

    [Fact]
    public async Task Every_place_of_the_limiter_is_freed()
    {
        using var limiter = new ProofVerificationLimiter();
        for (int i = 0; i < 2 * Environment.ProcessorCount; i++)
        {
            (await VerifyAsync(Signed(isVersionTwo: false))).ShouldBe(ProofFailure.None);
            (await VerifyAsync(Signed(isVersionTwo: false) with { Role = "node" })).ShouldBe(ProofFailure.SignatureInvalid);
            (await limiter.ExamineAsync("{}"u8.ToArray(), "nonce", Now, TimeSpan.FromMinutes(2), default)).Malformed.ShouldNotBeNull();
            await Should.ThrowAsync<OperationCanceledException>(VerifyAsync(Signed(isVersionTwo: false), new CancellationToken(canceled: true)));
        }

        async Task<ProofFailure> VerifyAsync(ConnectRequest request, CancellationToken cancellationToken = default) =>
            (await limiter.ExamineAsync(Message(request), "nonce", Now, TimeSpan.FromMinutes(2), cancellationToken)).Failure;
    }

    public void Dispose() => _key.Dispose();

    private ProofFailure Verify(ConnectRequest request) =>
        ConnectProof.Verify(request, "nonce", Now, TimeSpan.FromMinutes(2), _versions, out _);

    private static byte[] Message(ConnectRequest request) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        type = "req",
        id = request.Id,
        method = "connect",
        @params = new
        {
            client = new { id = request.ClientId, mode = request.ClientMode, platform = request.Platform },
            role = request.Role,
            scopes = request.Scopes,
            device = new
            {
                id = request.Device!.Id,
                publicKey = request.Device.PublicKey,
                signature = request.Device.Signature,
                signedAt = request.Device.SignedAt,
                nonce = request.Device.Nonce,
            },
        },
    });

    private ConnectRequest SignedForProfile(string profile, string platform)
    {
        ConnectRequest request = Signed(isVersionTwo: false) with { Platform = platform, TrustedBrokerProfileId = profile };
        ConnectDevice device = request.Device!;
        byte[] signature = SignatureAlgorithm.Ed25519.Sign(_key, ConnectProof.PayloadOfVersionFour(request, device, "nonce", profile));
        return request with { Device = device with { Signature = Base64Url.EncodeToString(signature) } };
    }

    private ConnectRequest Signed(bool isVersionTwo)
    {
        byte[] publicKey = _key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        DeviceId id = DeviceId.Of(publicKey);
        long time = Now.ToUnixTimeMilliseconds();
        string signed = $"{(isVersionTwo ? "v2" : "v3")}|{id}|cli|cli|operator|operator.read|{time}||nonce{(isVersionTwo ? "" : "|linux|")}";
        byte[] signature = SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes(signed));
        return new ConnectRequest
        {
            Id = "1",
            MaxProtocol = 4,
            ClientId = "cli",
            ClientMode = "cli",
            Platform = "linux",
            DeviceFamily = "",
            DisplayName = null,
            Role = "operator",
            Scopes = ["operator.read"],
            SharedToken = null,
            SignedToken = "",
            TrustedBrokerProfileId = null,
            Device = new ConnectDevice(id.ToString(), Base64Url.EncodeToString(publicKey), Base64Url.EncodeToString(signature), time, "nonce"),
        };
    }
}
