using System.Runtime.InteropServices;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// Follows frame boundaries through a stream that arrives in chunks of any size, by headers alone. A stream that violates the protocol has
/// no boundary from there on: no frame can be inserted into it any more.
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

    /// <summary>Notes bytes that pass.</summary>
    public void Advance(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty && !_isLost)
            AdvanceWithinFrame(ref data);
    }

    /// <summary>Notes the bytes up to the next boundary and returns their number; all of them if there is none.</summary>
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
