namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The document of the keys of nonces.</summary>
/// <param name="Current">Makes nonces.</param>
/// <param name="Previous">Made them before; null if there was none.</param>
internal sealed record StoredNonceKeys(StoredNonceKey Current, StoredNonceKey? Previous = null);

/// <summary>A key in that document.</summary>
/// <param name="Id">Names it in the nonces that it makes.</param>
/// <param name="Secret">32 random bytes.</param>
/// <param name="MadeAt">When it was made, by the registry's clock.</param>
internal sealed record StoredNonceKey(byte Id, byte[] Secret, DateTimeOffset MadeAt);
