using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>The file of a <see cref="DeviceIdentity"/>.</summary>
/// <param name="Version">1 with an Ed25519 key, 2 with one that names its algorithm.</param>
/// <param name="DeviceId">The device's id, for people who read the file.</param>
/// <param name="PublicKey">The raw public key, base64url.</param>
/// <param name="PrivateKey">The raw private key, base64url: RFC 8032's seed, or the scalar of P-256.</param>
/// <param name="Algorithm">Absent for Ed25519.</param>
internal sealed record IdentityFile(int Version, string DeviceId, string PublicKey, string PrivateKey, string? Algorithm = null);

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(IdentityFile))]
internal sealed partial class IdentityJsonContext : JsonSerializerContext;
