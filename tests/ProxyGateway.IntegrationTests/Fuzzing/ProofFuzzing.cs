using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>What the requests of a run are made of.</summary>
/// <param name="Port">The gate's port.</param>
/// <param name="Devices">The devices: some paired, some not. One may be there several times.</param>
/// <param name="Nonces">Nonces of the gate's that are good.</param>
/// <param name="OldNonce">One that is not any more.</param>
/// <param name="EarlyNonce">One of a gateway whose clock is ahead by too much.</param>
/// <param name="ForeignNonce">One of another registry.</param>
/// <param name="Tokens">Session tokens of the devices that are paired.</param>
internal sealed record ProofFuzzing(
    int Port, IReadOnlyList<ProofSigner> Devices, IReadOnlyList<string> Nonces, string OldNonce, string EarlyNonce, string ForeignNonce, IReadOnlyList<string> Tokens)
{
    /// <summary>The claim <c>ath</c> for a token.</summary>
    public static string HashOf(string token) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
