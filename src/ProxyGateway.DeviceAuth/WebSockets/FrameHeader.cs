using System.Buffers.Binary;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// The header of one frame, RFC 6455 §5.2, read strictly: no extension is ever negotiated, so no reserved bit may be set.
/// </summary>
internal readonly record struct FrameHeader(bool IsFinal, Opcode Opcode, bool IsMasked, uint Mask, int HeaderLength, long PayloadLength)
{
    /// <summary>The maximum length of a header.</summary>
    public const int MaxLength = 14;

    /// <summary>The maximum payload of a control frame, RFC 6455 §5.5.</summary>
    public const int MaxControlPayload = 125;

    public bool IsControl => ((byte)Opcode & 0x8) != 0;

    public static FrameHeaderStatus TryRead(ReadOnlySpan<byte> data, out FrameHeader header)
    {
        header = default;
        if (data.Length < 2)
            return FrameHeaderStatus.NeedsMore;

        bool isFinal = (data[0] & 0x80) != 0;
        var opcode = (Opcode)(data[0] & 0x0F);
        bool isMasked = (data[1] & 0x80) != 0;
        int length7 = data[1] & 0x7F;
        bool reservedBits = (data[0] & 0x70) != 0;
        bool brokenControl = ((byte)opcode & 0x8) != 0 && (!isFinal || length7 > MaxControlPayload);
        if (reservedBits || brokenControl || !IsDefined(opcode))
            return FrameHeaderStatus.Malformed;

        int extended = length7 switch { 126 => 2, 127 => 8, _ => 0 };
        int headerLength = 2 + extended + (isMasked ? 4 : 0);
        if (data.Length < headerLength)
            return FrameHeaderStatus.NeedsMore;

        long length = extended switch
        {
            2 => BinaryPrimitives.ReadUInt16BigEndian(data[2..]),
            8 => BinaryPrimitives.ReadInt64BigEndian(data[2..]),
            _ => length7,
        };

        // The most significant bit must be 0, and the minimal number of bytes must encode the length.
        if (length < 0 || (extended == 2 && length < 126) || (extended == 8 && length <= ushort.MaxValue))
            return FrameHeaderStatus.Malformed;

        uint mask = isMasked ? BinaryPrimitives.ReadUInt32LittleEndian(data[(2 + extended)..]) : 0;
        header = new FrameHeader(isFinal, opcode, isMasked, mask, headerLength, length);
        return FrameHeaderStatus.Complete;
    }

    private static bool IsDefined(Opcode opcode) => opcode is <= Opcode.Binary or (>= Opcode.Close and <= Opcode.Pong);
}
