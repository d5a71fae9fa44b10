using System.Runtime.InteropServices;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// Follows frame boundaries through a stream of frames in chunks of any size, by their headers alone. A stream that breaks the protocol has no boundary
/// from there on: nothing can be put into it any more.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct FrameTracker
{
    private FrameHeaderReader _header;
    private long _payloadLeft;
    private bool _isLost;

    /// <summary>Whether the last byte that passed was the last of a frame (or none has passed yet).</summary>
    public readonly bool AtBoundary => _payloadLeft == 0 && !_header.IsInHeader && !_isLost;

    /// <summary>Whether a close frame has begun to pass; nothing may be sent after it (RFC 6455 §5.5.1).</summary>
    public bool SawClose { get; private set; }

    /// <summary>Takes note of bytes that pass.</summary>
    public void Advance(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty && !_isLost)
            AdvanceWithinFrame(ref data);
    }

    /// <summary>Takes note of the bytes up to the next boundary, and says how many those are; all of them if there is none.</summary>
    public int AdvanceToBoundary(ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<byte> left = data;
        while (!left.IsEmpty && !AtBoundary)
        {
            if (_isLost)
                return data.Length;
            AdvanceWithinFrame(ref left);
        }

        return data.Length - left.Length;
    }

    /// <summary>Takes at least one byte, and none beyond the end of the current frame.</summary>
    private void AdvanceWithinFrame(ref ReadOnlySpan<byte> data)
    {
        if (_payloadLeft > 0)
        {
            int payload = (int)Math.Min(data.Length, _payloadLeft);
            _payloadLeft -= payload;
            data = data[payload..];
            return;
        }

        FrameHeaderStatus status = _header.Read(ref data, out FrameHeader header);
        _payloadLeft = header.PayloadLength;
        _isLost = status == FrameHeaderStatus.Malformed;
        SawClose |= status == FrameHeaderStatus.NeedsMore ? _header.OpcodeBegun == Opcode.Close : header.Opcode == Opcode.Close;
    }
}
