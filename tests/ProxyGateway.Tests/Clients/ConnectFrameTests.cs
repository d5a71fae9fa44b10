using System.Text;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Clients;

/// <summary>The connect frame of the client's library, as the gate reads it.</summary>
public sealed class ConnectFrameTests : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);
    private static readonly ConnectFrame Full = new()
    {
        Role = "node",
        Scopes = ["operator.read", "operator.write"],
        Client = new ClientClaim { Id = "gateway-client", DisplayName = "Zoë", Version = "2", Platform = " Linux ", Mode = "backend" },
        DeviceFamily = "Server",
        Token = "tok-456",
    };

    private readonly DeviceIdentity _identity = DeviceIdentity.Create();

    public static TheoryData<ConnectFrame> Frames =>
    [
        new ConnectFrame(),
        new ConnectFrame { SignatureVersion = 2, MaxProtocol = 3 },
        Full,
        Full with { SignatureVersion = 2 },
        Full with { TrustedBrokerProfileId = "profile-human-1" },
        new ConnectFrame { TrustedBrokerProfileId = "p", SignatureVersion = 2 },
    ];

    public void Dispose() => _identity.Dispose();

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task The_gate_accepts_every_version(ConnectFrame frame)
    {
        string text = await frame.SignAsync(_identity, "id-1", "the-nonce", Now);

        DeviceClaim claim = Read(text, ProofFailure.None);
        claim.Device.ToString().ShouldBe(_identity.Id);
        (claim.Role, claim.Scopes.Count).ShouldBe((frame.Role, frame.Scopes.Count));
    }

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task A_changed_role_does_not_hold(ConnectFrame frame)
    {
        string text = await frame.SignAsync(_identity, "id-1", "the-nonce", Now);

        Read(text.Replace($"\"role\":\"{frame.Role}\"", "\"role\":\"admin\"", StringComparison.Ordinal), ProofFailure.SignatureInvalid);
    }

    [Fact]
    public async Task A_key_of_another_kind_and_an_unknown_version_are_refused()
    {
        using DeviceIdentity p256 = DeviceIdentity.Create(DeviceAlgorithm.ES256);

        await Should.ThrowAsync<ArgumentException>(async () => await Full.SignAsync(p256, "1", "n", Now));
        await Should.ThrowAsync<InvalidOperationException>(async () => await (Full with { SignatureVersion = 1 }).SignAsync(_identity, "1", "n", Now));
    }

    private static DeviceClaim Read(string text, ProofFailure expected)
    {
        ConnectRequestReader.TryRead(Encoding.UTF8.GetBytes(text), out ConnectRequest request, out _).ShouldBeTrue();
        ConnectProof.Verify(request, "the-nonce", Now, TimeSpan.FromMinutes(2), new PayloadVersions(), out DeviceClaim claim).ShouldBe(expected);
        return claim;
    }
}
