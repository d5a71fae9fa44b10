namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>The masking of client frames, RFC 6455 §5.3.</summary>
internal static class Masking
{
    /// <summary>Masks or unmasks a payload in place.</summary>
    /// <param name="payload">The payload from its first byte.</param>
    /// <param name="mask">The four bytes of the mask, the first in the lowest.</param>
    public static void Apply(Span<byte> payload, uint mask)
    {
        for (int i = 0; i < payload.Length; i++)
        {
            payload[i] ^= (byte)(mask >> (8 * (i & 3)));
        }
    }
}
