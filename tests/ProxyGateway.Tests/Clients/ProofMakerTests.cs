using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Tests.Handshakes.Proof;

namespace ProxyGateway.Tests.Clients;

/// <summary>Proofs of the client's library, as the gate reads them.</summary>
public sealed class ProofMakerTests : IDisposable
{
    private static readonly Uri Url = new("https://gate.example/agent/work?q=1#part");

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 12, 1, 5, 0, 0, TimeSpan.Zero));
    private readonly ProcessNonceKeys _keys = new();
    private readonly List<DeviceIdentity> _identities = [];

    public void Dispose() => _identities.ForEach(identity => identity.Dispose());

    [Theory]
    [InlineData(DeviceAlgorithm.Ed25519)]
    [InlineData(DeviceAlgorithm.ES256)]
    public async Task A_proof_holds_and_says_what_is_asked_for(DeviceAlgorithm algorithm)
    {
        DeviceIdentity identity = New(algorithm);
        var claims = new ProofClaims
        {
            Role = "operator",
            Scopes = ["files.read", "files.write"],
            Client = new ClientClaim { Id = "cli", DisplayName = "Zoë's \"laptop\"", Version = "1.2.3", Platform = "linux", Mode = "cli" },
        };

        VerifiedProof proof = await VerifyAsync(await new ProofMaker(identity, _time).ProveAsync("POST", Url, Nonce(), claims));

        proof.Claim.Device.ToString().ShouldBe(identity.Id);
        (proof.Claim.Role, proof.Claim.Scopes.ToString()).ShouldBe(("operator", "files.read files.write"));
        (proof.Claim.Client.Id, proof.Claim.Client.DisplayName, proof.Claim.Client.Platform).ShouldBe(("cli", "Zoë's \"laptop\"", "linux"));
    }

    [Fact]
    public async Task Without_claims_the_routes_are_asked_for()
    {
        VerifiedProof proof = await VerifyAsync(await new ProofMaker(New()).ProveAsync("POST", Url, Nonce()));

        (proof.Claim.Role, proof.Claim.Scopes.ToString()).ShouldBe(("client", "agent.use"));
    }

    [Fact]
    public async Task Each_proof_has_an_id_of_its_own()
    {
        var maker = new ProofMaker(New());
        string[] ids = [.. await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ => (string)Payload(await maker.ProveAsync("GET", Url, nonce: null))["jti"]!))];
        ids.Distinct().Count().ShouldBe(100);
    }

    [Theory]
    [InlineData("https://gate.example/agent/work?q=1#part", "https://gate.example/agent/work")]
    [InlineData("https://GATE.example:443/Agent", "https://gate.example/Agent")]
    [InlineData("wss://gate.example:8443/", "https://gate.example:8443/")]
    [InlineData("wss://gate.example", "https://gate.example/")]
    [InlineData("ws://127.0.0.1:80/a", "http://127.0.0.1/a")]
    [InlineData("http://[::1]:8080/a%2Fb/%7euser/ä", "http://[::1]:8080/a%2Fb/~user/%C3%A4")]
    [InlineData("http://localhost:8080/a", "http://localhost:8080/a")]
    [InlineData("https://user:secret@gate.example/a", "https://gate.example/a")]
    [InlineData("https://bücher.example/a", "https://xn--bcher-kva.example/a")]
    public async Task The_URL_is_written_as_the_gate_compares_it(string url, string htu) =>
        ((string?)Payload(await new ProofMaker(New()).ProveAsync("GET", new Uri(url), nonce: null))["htu"]).ShouldBe(htu);

    [Theory]
    [InlineData("http://gate.example/")]
    [InlineData("ws://gate.example/")]
    [InlineData("http://192.168.1.7/")]
    [InlineData("http://127.0.0.1.example/")]
    [InlineData("http://localhost.example/")]
    [InlineData("http://agent.localhost/")]
    [InlineData("http://[::ffff:192.168.1.7]/")]
    [InlineData("ftp://127.0.0.1/")]
    [InlineData("file:///etc/hosts")]
    public async Task No_proof_is_made_for_a_connection_that_others_can_read(string url) =>
        await Should.ThrowAsync<ArgumentException>(async () => await new ProofMaker(New()).ProveAsync("GET", new Uri(url), nonce: null));

    [Fact]
    public async Task The_hash_of_a_token_goes_along()
    {
        string proof = await new ProofMaker(New()).ProveAsync("POST", Url, Nonce(), new ProofClaims { Token = "the-token" });

        ((string?)Payload(proof)["ath"]).ShouldBe(Base64Url.EncodeToString(SHA256.HashData("the-token"u8)));
    }

    [Fact]
    public async Task A_proof_that_no_gate_would_accept_is_not_made() =>
        await Should.ThrowAsync<InvalidOperationException>(async () =>
            await new ProofMaker(New()).ProveAsync("GET", Url, nonce: null, new ProofClaims { Client = new ClientClaim { DisplayName = new string('x', 4000) } }));

    [Fact]
    public void A_key_that_does_not_fit_its_algorithm_is_refused() => Should.Throw<ArgumentException>(() => new ProofMaker(new Odd()));

    private static JsonNode Payload(string proof) => JsonNode.Parse(Base64Url.DecodeFromChars(proof.Split('.')[1]))!;

    private string Nonce() => ProofNonce.Issue(_keys.Current, _time.GetUtcNow());

    private DeviceIdentity New(DeviceAlgorithm algorithm = DeviceAlgorithm.Ed25519)
    {
        _identities.Add(DeviceIdentity.Create(algorithm));
        return _identities[^1];
    }

    private async Task<VerifiedProof> VerifyAsync(string proof)
    {
        using var verifier = new ProofVerifier(_keys, _time);
        ProofExamination found = await verifier.VerifyAsync(
            proof, new ProofTarget("POST", "/agent/work", TokenHash: null, "client", ScopeSet.Of("agent.use")), ["https://gate.example"], TimeSpan.FromMinutes(2), default);
        found.Fault.ShouldBeNull();
        return found.Proof.ShouldNotBeNull();
    }

    private sealed class Odd : IDeviceSigner
    {
        public DeviceAlgorithm Algorithm => DeviceAlgorithm.ES256;

        public ReadOnlyMemory<byte> PublicKey { get; } = new byte[32];

        public ValueTask<byte[]> SignAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => new(new byte[64]);
    }
}
