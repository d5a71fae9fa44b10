namespace ProxyGateway.Connecting.Mcp;

/// <summary>A stream of server-sent events in which none may be longer than a message: the parser keeps an event until its end.</summary>
internal sealed class BoundedEvents(Stream events) : Stream
{
    private const int MaxBytes = McpLimits.MessageBytes + (64 * 1024);

    private int _length;
    private bool _isLineEmpty = true;
    private bool _wasReturn;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await events.ReadAsync(buffer, cancellationToken);
        Count(buffer.Span[..count]);
        return _length <= MaxBytes ? count : throw McpFailure.NoAnswer($"The server sends an event of more than {McpLimits.MessageBytes} bytes");
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    // An event ends with an empty line; a line with CR, LF or both (WHATWG HTML, "Server-sent events").
    private void Count(ReadOnlySpan<byte> read)
    {
        while (!read.IsEmpty)
        {
            int end = read.IndexOfAny((byte)'\r', (byte)'\n');
            if (end < 0)
            {
                _length += read.Length;
                (_isLineEmpty, _wasReturn) = (false, false);
                return;
            }

            bool isSecondHalf = end == 0 && _wasReturn && read[0] == '\n';
            if (!isSecondHalf)
            {
                _length = _isLineEmpty && end == 0 ? 0 : _length + end;
                _isLineEmpty = true;
            }

            _wasReturn = read[end] == '\r';
            read = read[(end + 1)..];
        }
    }
}
