using System.Buffers.Binary;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Steps;

/// <summary>A client's frames.</summary>
internal static class Frames
{
    private const uint Mask = 0x1B2D_4C8E;

    /// <summary>A whole message, of up to 65,535 bytes, in one masked frame.</summary>
    public static byte[] Masked(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = stackalloc byte[FrameHeader.MaxLength];
        header[0] = (byte)(0x80 | (byte)opcode);
        header[1] = (byte)(0x80 | Math.Min(payload.Length, 126));
        int length = 2;
        if (payload.Length >= 126)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[2..], checked((ushort)payload.Length));
            length += 2;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(header[length..], Mask);
        byte[] frame = [.. header[..(length + 4)], .. payload];
        Masking.Apply(frame.AsSpan(length + 4), Mask);
        return frame;
    }
}
