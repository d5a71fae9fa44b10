using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A key by which gateways recognise nonces of their own registry.</summary>
/// <param name="Id">Its number, which each nonce carries.</param>
/// <param name="Secret">The key of the HMAC, 32 random bytes.</param>
internal sealed record NonceKey(byte Id, ImmutableArray<byte> Secret)
{
    /// <summary>The length of a key, in bytes.</summary>
    public const int Size = 32;
}
