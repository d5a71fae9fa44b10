using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>One key of this process: no other gateway accepts its nonces, and none is accepted after a restart.</summary>
internal sealed class ProcessNonceKeys : INonceKeys
{
    /// <inheritdoc/>
    public NonceKey Current { get; } = new(RandomNumberGenerator.GetBytes(1)[0], [.. RandomNumberGenerator.GetBytes(NonceKey.Size)]);

    /// <inheritdoc/>
    public ValueTask<NonceKey?> FindAsync(byte id, CancellationToken cancellationToken) =>
        new(id == Current.Id ? Current : null);
}
