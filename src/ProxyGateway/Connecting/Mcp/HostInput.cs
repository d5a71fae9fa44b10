using System.Buffers;
using System.IO.Pipelines;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>The host's messages, one a line.</summary>
internal sealed class HostInput(Stream input)
{
    private readonly PipeReader _reader = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 64 * 1024));

    /// <summary>The next line that is not blank; null at the end.</summary>
    /// <exception cref="InvalidDataException">It is longer than <see cref="McpLimits.MessageBytes"/>, and was dropped.</exception>
    public async ValueTask<byte[]?> ReadLineAsync(CancellationToken cancellationToken)
    {
        bool isTooLong = false;
        long searched = 0;
        while (true)
        {
            ReadResult result = await _reader.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> buffer = result.Buffer;
            SequencePosition? end = buffer.Slice(searched).PositionOf((byte)'\n');
            if (end is null && !result.IsCompleted)
            {
                isTooLong |= buffer.Length > McpLimits.MessageBytes;
                searched = isTooLong ? 0 : buffer.Length;
                _reader.AdvanceTo(isTooLong ? buffer.End : buffer.Start, buffer.End);
                continue;
            }

            ReadOnlySequence<byte> line = end is { } position ? buffer.Slice(0, position) : buffer;
            isTooLong |= line.Length > McpLimits.MessageBytes;
            byte[] bytes = isTooLong ? [] : line.ToArray();
            bool isLast = buffer.IsEmpty && result.IsCompleted;
            _reader.AdvanceTo(end is { } newLine ? buffer.GetPosition(1, newLine) : buffer.End);
            searched = 0;
            if (isTooLong)
                throw new InvalidDataException($"A message has more than {McpLimits.MessageBytes} bytes");
            if (isLast)
                return null;
            if (bytes.AsSpan().ContainsAnyExcept(" \t\r"u8))
                return bytes;
        }
    }
}
