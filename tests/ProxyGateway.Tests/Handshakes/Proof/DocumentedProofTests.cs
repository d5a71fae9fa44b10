using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>The example of docs/proof.md, byte for byte.</summary>
public sealed class DocumentedProofTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(ShippedConfigurationTests.Root, "docs", "proof.md"));

    [Fact]
    public async Task The_example_holds()
    {
        string proof = Regex.Match(Page, "^Device-Proof: (?<proof>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)).Groups["proof"].Value;
        var key = new NonceKey(7, [.. Enumerable.Range(0, NonceKey.Size).Select(i => (byte)i)]);
        using var verifier = new ProofVerifier(new OneKey(key), new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(1796101203)));

        ProofExamination found = await verifier.VerifyAsync(
            proof, new ProofTarget("POST", "/mcp", TokenHash: null, "client", ScopeSet.Empty), ["https://gate.example"], TimeSpan.FromMinutes(2), default);

        found.Fault.ShouldBeNull();
        Page.ShouldContain(found.Proof.ShouldNotBeNull().Claim.Device.ToString());
        Page.ShouldContain(ProofNonce.Issue(key, DateTimeOffset.FromUnixTimeSeconds(1796101200)));
    }

    private sealed class OneKey(NonceKey key) : INonceKeys
    {
        public NonceKey Current => key;

        public ValueTask<NonceKey?> FindAsync(byte id, CancellationToken cancellationToken) => new(id == key.Id ? key : null);
    }
}
