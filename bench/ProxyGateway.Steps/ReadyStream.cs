using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Steps;

/// <summary>A connection that never waits: whatever is read is there already, in the reader's own buffer, and whatever is written is gone.</summary>
internal sealed class ReadyStream : DuplexStream
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(buffer.Length);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => default;

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
