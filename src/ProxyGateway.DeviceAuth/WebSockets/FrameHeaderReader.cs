using System.Runtime.CompilerServices;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// Reads frame headers in a stream that arrives in chunks of any size. It keeps the beginning of a header until the rest arrives.
/// </summary>
internal struct FrameHeaderReader
{
    private Begun _begun;
    private byte _length;

    /// <summary>Whether a header has begun and is not whole.</summary>
    public readonly bool IsInHeader => _length > 0;

    /// <summary>
    /// Takes the bytes of a header from the chunk: all that it needs, or all that there are. After a malformed header the rest is useless.
    /// </summary>
    /// <param name="data">The chunk, which begins or continues a header.</param>
    /// <param name="header">The header, if it is whole now.</param>
    public FrameHeaderStatus Read(ref ReadOnlySpan<byte> data, out FrameHeader header)
    {
        header = default;
        FrameHeaderStatus status = FrameHeaderStatus.NeedsMore;
        if (_length == 0)
        {
            status = FrameHeader.TryRead(data, out header);
            if (status == FrameHeaderStatus.Complete)
                data = data[header.HeaderLength..];
        }

        while (status == FrameHeaderStatus.NeedsMore && !data.IsEmpty)
        {
            _begun[_length++] = data[0];
            data = data[1..];
            status = FrameHeader.TryRead(((ReadOnlySpan<byte>)_begun)[.._length], out header);
            if (status != FrameHeaderStatus.NeedsMore)
                _length = 0;
        }

        return status;
    }

    /// <summary>The opcode of a header that is not whole yet; its first byte has it.</summary>
    public readonly Opcode OpcodeBegun => (Opcode)(_begun[0] & 0x0F);

    [InlineArray(FrameHeader.MaxLength)]
    private struct Begun
    {
        private byte _first;
    }
}
