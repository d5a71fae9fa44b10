using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>A proof that holds, of which a test spoils one thing.</summary>
internal sealed class SomeProof : IDisposable
{
    public const string Url = "https://gate.example/agent/work";

    private readonly ProcessNonceKeys _keys = new();

    public SomeProof(string algorithm = "Ed25519")
    {
        Signer = algorithm == "ES256" ? ProofSigner.WithP256() : ProofSigner.WithEd25519();
        Header = new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = algorithm, ["jwk"] = Signer.Jwk };
        Claims = new JsonObject { ["jti"] = "one", ["htm"] = "POST", ["htu"] = Url, ["iat"] = 0, ["nonce"] = ProofNonce.Issue(_keys.Current, Time.GetUtcNow()) };
    }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 12, 1, 5, 0, 0, TimeSpan.Zero));

    public ProofSigner Signer { get; }

    public JsonObject Header { get; }

    public JsonObject Claims { get; }

    public string Text => Signer.Sign(Header.ToJsonString(), Claims.ToJsonString());

    public NonceKey NonceKey => _keys.Current;

    public ProofTarget Target { get; set; } = new("POST", "/agent/work", TokenHash: null, "client", ScopeSet.Of("agent.use"));

    public string[] PublicOrigins { get; set; } = ["https://other.example", "https://gate.example"];

    public TimeSpan Life { get; set; } = TimeSpan.FromMinutes(2);

    public ProofExamination Verify(string? text = null, INonceKeys? keys = null)
    {
        using var verifier = new ProofVerifier(keys ?? _keys, Time);
        Task<ProofExamination> verifying = verifier.VerifyAsync(text ?? Text, Target, [.. PublicOrigins], Life, default).AsTask();
        verifying.IsCompletedSuccessfully.ShouldBeTrue("with known keys nothing is waited for");
        return verifying.Result;
    }

    public void Dispose() => Signer.Dispose();
}
