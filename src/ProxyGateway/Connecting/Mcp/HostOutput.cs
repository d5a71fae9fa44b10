namespace ProxyGateway.Connecting.Mcp;

/// <summary>What the host gets, one message a line. Thread-safe.</summary>
internal sealed class HostOutput(Stream output) : IDisposable
{
    private static readonly byte[] LineEnd = "\n"u8.ToArray();

    private readonly SemaphoreSlim _turn = new(1);

    public async Task WriteAsync(ReadOnlyMemory<byte> message)
    {
        await _turn.WaitAsync();
        try
        {
            // Not to be cancelled: half a line would spoil the next.
            await output.WriteAsync(message);
            await output.WriteAsync(LineEnd);
            await output.FlushAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();
}
