using System.Buffers.Binary;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>Frames in bytes that may be anything. Written apart from the gate's own reader, so that one does not excuse the other.</summary>
internal static class RawFrames
{
    /// <summary>The whole frames that the bytes begin with.</summary>
    public static List<(Opcode Opcode, bool IsFinal, byte[] Payload)> In(ReadOnlySpan<byte> bytes)
    {
        var frames = new List<(Opcode, bool, byte[])>();
        while (bytes.Length >= 2)
        {
            int short7 = bytes[1] & 0x7F;
            int extended = short7 switch { 126 => 2, 127 => 8, _ => 0 };
            int header = 2 + extended + ((bytes[1] & 0x80) != 0 ? 4 : 0);
            if (bytes.Length < header)
                break;
            ulong length = extended switch
            {
                2 => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
                8 => BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]),
                _ => (ulong)short7,
            };
            if (length > (ulong)(bytes.Length - header))
                break;
            byte[] payload = bytes.Slice(header, (int)length).ToArray();
            for (int i = 0; header > 2 + extended && i < payload.Length; i++)
                payload[i] ^= bytes[2 + extended + (i & 3)];
            frames.Add(((Opcode)(bytes[0] & 0x0F), (bytes[0] & 0x80) != 0, payload));
            bytes = bytes[(header + (int)length)..];
        }

        return frames;
    }

    /// <summary>The first message that is no control frame; null while it is not whole.</summary>
    public static byte[]? FirstMessage(ReadOnlySpan<byte> bytes)
    {
        var message = new List<byte>();
        foreach ((Opcode opcode, bool isFinal, byte[] payload) in In(bytes))
        {
            if (opcode >= Opcode.Close)
                continue;
            message.AddRange(payload);
            if (isFinal)
                return [.. message];
        }

        return null;
    }
}
