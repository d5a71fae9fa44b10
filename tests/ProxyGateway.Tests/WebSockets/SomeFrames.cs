using System.Buffers.Binary;
using FsCheck;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

/// <summary>Frames for tests, and chunks to cut them into.</summary>
internal static class SomeFrames
{
    private static readonly int[] Lengths = [0, 1, 5, 124, 125, 126, 127, 65_535, 65_536, 70_000];

    /// <summary>A length of one of the interesting sizes.</summary>
    public static int Length(int any) => Lengths[Math.Abs(any % Lengths.Length)];

    public static byte[] Encode(Opcode opcode, ReadOnlySpan<byte> payload, bool masked = false, bool isFinal = true)
    {
        var frame = new List<byte> { (byte)((isFinal ? 0x80 : 0) | (int)opcode) };
        int mask = masked ? 0x80 : 0;
        Span<byte> length = stackalloc byte[8];
        switch (payload.Length)
        {
            case < 126:
                frame.Add((byte)(mask | payload.Length));
                break;
            case <= ushort.MaxValue:
                frame.Add((byte)(mask | 126));
                BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)payload.Length);
                frame.AddRange(length[..2]);
                break;
            default:
                frame.Add((byte)(mask | 127));
                BinaryPrimitives.WriteUInt64BigEndian(length, (ulong)payload.Length);
                frame.AddRange(length);
                break;
        }

        byte[] key = masked ? [0xA5, 0x5A, 0x00, 0xFF] : [];
        frame.AddRange(key);
        for (int i = 0; i < payload.Length; i++)
        {
            frame.Add(masked ? (byte)(payload[i] ^ key[i & 3]) : payload[i]);
        }

        return [.. frame];
    }

    /// <summary>Cuts bytes into chunks of these sizes, over and over.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(byte[] bytes, PositiveInt[] sizes)
    {
        int at = 0;
        for (int i = 0; at < bytes.Length; i++)
        {
            int size = sizes.Length == 0 ? bytes.Length : Math.Min(sizes[i % sizes.Length].Get, bytes.Length - at);
            yield return bytes.AsMemory(at, size);
            at += size;
        }
    }
}
