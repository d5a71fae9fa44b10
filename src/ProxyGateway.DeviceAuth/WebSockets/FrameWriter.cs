using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>Makes whole frames, RFC 6455 §5.2.</summary>
internal static class FrameWriter
{
    /// <summary>A text message to a client, in one frame.</summary>
    public static byte[] Text(ReadOnlySpan<byte> utf8) => Frame(Opcode.Text, utf8, masked: false);

    /// <summary>A ping or pong to a client.</summary>
    public static byte[] Control(Opcode opcode, ReadOnlySpan<byte> payload) => Frame(opcode, payload, masked: false);

    /// <summary>A close frame to a client.</summary>
    public static byte[] CloseToClient(Closing closing) => Frame(Opcode.Close, ClosePayload(closing), masked: false);

    /// <summary>A close frame to a backend, masked as a client's must be.</summary>
    public static byte[] CloseToBackend(Closing closing) => Frame(Opcode.Close, ClosePayload(closing), masked: true);

    private static byte[] ClosePayload(Closing closing)
    {
        byte[] payload = new byte[2 + Encoding.UTF8.GetByteCount(closing.Reason)];
        BinaryPrimitives.WriteUInt16BigEndian(payload, closing.Code);
        Encoding.UTF8.GetBytes(closing.Reason, payload.AsSpan(2));
        return payload;
    }

    private static byte[] Frame(Opcode opcode, ReadOnlySpan<byte> payload, bool masked)
    {
        int extended = payload.Length switch { < 126 => 0, <= ushort.MaxValue => 2, _ => 8 };
        int start = 2 + extended + (masked ? 4 : 0);
        byte[] frame = new byte[start + payload.Length];
        frame[0] = (byte)(0x80 | (byte)opcode);
        switch (extended)
        {
            case 0:
                frame[1] = (byte)payload.Length;
                break;
            case 2:
                frame[1] = 126;
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
                break;
            default:
                frame[1] = 127;
                BinaryPrimitives.WriteUInt64BigEndian(frame.AsSpan(2), (ulong)payload.Length);
                break;
        }

        payload.CopyTo(frame.AsSpan(start));
        if (masked)
        {
            frame[1] |= 0x80;
            Span<byte> mask = frame.AsSpan(start - 4, 4);
            RandomNumberGenerator.Fill(mask);
            Masking.Apply(frame.AsSpan(start), BinaryPrimitives.ReadUInt32LittleEndian(mask));
        }

        return frame;
    }
}
