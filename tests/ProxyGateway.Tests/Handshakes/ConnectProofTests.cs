using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What is tried first changes with what clients of a kind sign, and what is accepted does not; and whoever waits to be verified gets a turn.</summary>
public sealed class ConnectProofTests : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);

    private readonly PayloadVersions _versions = new();
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);

    [Fact]
    public void Both_versions_are_accepted_whatever_is_tried_first()
    {
        foreach (bool isVersionTwo in (bool[])[false, true, true, false, false, true])
        {
            ConnectRequest request = Signed(isVersionTwo);
            Verify(request).ShouldBe(ProofFailure.None);
            _versions.SignsVersionTwo(request).ShouldBe(isVersionTwo);
        }
    }

    [Fact]
    public void Who_proves_nothing_teaches_nothing()
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
    public async Task Every_place_is_given_back()
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
            Device = new ConnectDevice(id.ToString(), Base64Url.EncodeToString(publicKey), Base64Url.EncodeToString(signature), time, "nonce"),
        };
    }
}
