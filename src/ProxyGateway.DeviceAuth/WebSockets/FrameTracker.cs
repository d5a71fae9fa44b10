using System.Runtime.InteropServices;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// Follows frame boundaries through a stream of frames in chunks of any size, by their headers alone. What it says of a stream that
/// breaks the protocol is of no use, but harmless: such a stream has no boundary any more at which anything could be put in.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct FrameTracker
{
    private ulong _length;
    private ulong _payloadLeft;
    private byte _headerPosition;
    private byte _lengthBytes;
    private byte _maskBytes;
    private Opcode _opcode;

    /// <summary>Whether the last byte that passed was the last of a frame (or none has passed yet).</summary>
    public readonly bool AtBoundary => _headerPosition == 0 && _payloadLeft == 0;

    /// <summary>Whether a close frame has begun to pass; nothing may be sent after it (RFC 6455 §5.5.1).</summary>
    public bool SawClose { get; private set; }

    /// <summary>Takes note of bytes that pass.</summary>
    public void Advance(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            data = data[AdvanceWithinFrame(data)..];
        }
    }

    /// <summary>Takes note of the bytes up to the next boundary, and says how many those are; all of them if there is none.</summary>
    public int AdvanceToBoundary(ReadOnlySpan<byte> data)
    {
        int taken = 0;
        while (taken < data.Length && !AtBoundary)
        {
            taken += AdvanceWithinFrame(data[taken..]);
        }

        return taken;
    }

    /// <summary>Consumes at least one byte, and none beyond the end of the current frame.</summary>
    private int AdvanceWithinFrame(ReadOnlySpan<byte> data)
    {
        if (_payloadLeft == 0)
        {
            int header = 0;
            while (header < data.Length)
            {
                if (AdvanceHeader(data[header++]))
                    break;
            }

            return header;
        }

        int payload = (int)Math.Min((ulong)data.Length, _payloadLeft);
        _payloadLeft -= (ulong)payload;
        return payload;
    }

    /// <summary>Takes one byte of the header; true if it was the last.</summary>
    private bool AdvanceHeader(byte value)
    {
        int position = _headerPosition++;
        switch (position)
        {
            case 0:
                _opcode = (Opcode)(value & 0x0F);
                SawClose |= _opcode == Opcode.Close;
                return false;
            case 1:
                int length7 = value & 0x7F;
                _maskBytes = (byte)((value & 0x80) != 0 ? 4 : 0);
                _lengthBytes = (byte)(length7 switch { 126 => 2, 127 => 8, _ => 0 });
                _length = _lengthBytes == 0 ? (ulong)length7 : 0;
                break;
            default:
                if (position < 2 + _lengthBytes)
                    _length = (_length << 8) | value;
                break;
        }

        if (_headerPosition < 2 + _lengthBytes + _maskBytes)
            return false;
        _payloadLeft = _length;
        _headerPosition = 0;
        return true;
    }
}
