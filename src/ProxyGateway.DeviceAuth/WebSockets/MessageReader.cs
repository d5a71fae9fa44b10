using System.Text.Unicode;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// Reads the first text message of one side before admission, strictly and within a bound, and keeps its frames unchanged. Control frames
/// may come in between (RFC 6455 §5.4), and are reported separately.
/// </summary>
/// <param name="source">The sender of the frames.</param>
/// <param name="maxMessageBytes">The maximum length of the message in bytes.</param>
internal sealed class MessageReader(FrameSource source, int maxMessageBytes) : IDisposable
{
    /// <summary>
    /// How many control frames may come before the message ends. Each is relayed at once, although the client is not admitted yet.
    /// </summary>
    public const int MaxControlFrames = 64;

    private readonly ByteBuffer _unread = new();
    private readonly ByteBuffer _frames = new();
    private readonly ByteBuffer _message = new();
    private int _frameLength;
    private int _controlFrames;

    /// <summary>The last control frame, its opcode and its unchanged bytes; valid until the next call.</summary>
    public (Opcode Opcode, ReadOnlyMemory<byte> Bytes) ControlFrame { get; private set; }

    /// <summary>The payload of the whole message.</summary>
    public ReadOnlyMemory<byte> Message => _message.Memory;

    /// <summary>The unchanged frames of the message, without control frames.</summary>
    public ReadOnlyMemory<byte> MessageFrames => _frames.Memory;

    /// <summary>The bytes received after the message.</summary>
    public ReadOnlyMemory<byte> Rest => _unread.Memory;

    /// <summary>The violated rule.</summary>
    public Closing? Violation { get; private set; }

    /// <summary>Free space for the next bytes; call <see cref="Received"/> with their number.</summary>
    public Memory<byte> Reserve(int count) => _unread.Reserve(count);

    public void Received(int count) => _unread.Commit(count);

    public void Receive(ReadOnlySpan<byte> data) => _unread.Append(data);

    /// <summary>The next control frame, message or violation.</summary>
    public FrameEvent Next()
    {
        while (true)
        {
            _unread.Consume(_frameLength);
            _frameLength = 0;
            switch (FrameHeader.TryRead(_unread.Span, out FrameHeader header))
            {
                case FrameHeaderStatus.NeedsMore:
                    return FrameEvent.NeedsMore;
                case FrameHeaderStatus.Malformed:
                    return Fail(Closing.ProtocolError);
            }

            if (Check(header) is { } violation)
                return Fail(violation);
            if (_unread.Length < header.HeaderLength + header.PayloadLength)
                return FrameEvent.NeedsMore;
            _frameLength = header.HeaderLength + (int)header.PayloadLength;
            if (header.IsControl)
            {
                _controlFrames++;
                ControlFrame = (header.Opcode, _unread.Memory[.._frameLength]);
                return FrameEvent.Control;
            }

            ReadOnlySpan<byte> frame = _unread.Span[.._frameLength];
            _frames.Append(frame);
            Span<byte> payload = _message.Append(frame[header.HeaderLength..]);
            if (header.IsMasked)
                Masking.Apply(payload, header.Mask);
            if (header.IsFinal)
            {
                _unread.Consume(_frameLength);
                _frameLength = 0;
                return Utf8.IsValid(_message.Span) ? FrameEvent.Message : Fail(Closing.InvalidUtf8);
            }
        }
    }

    /// <summary>
    /// The next control frame of the backend while its messages are held. Stops before any other frame, which stays in <see cref="Rest"/>.
    /// </summary>
    public bool TryReadControlFrame()
    {
        _unread.Consume(_frameLength);
        _frameLength = 0;
        if (FrameHeader.TryRead(_unread.Span, out FrameHeader header) != FrameHeaderStatus.Complete
            || !header.IsControl || header.IsMasked != (source == FrameSource.Client)
            || _unread.Length < header.HeaderLength + header.PayloadLength)
        {
            return false;
        }

        _frameLength = header.HeaderLength + (int)header.PayloadLength;
        ControlFrame = (header.Opcode, _unread.Memory[.._frameLength]);
        return true;
    }

    /// <summary>
    /// Whether <see cref="TryReadControlFrame"/> stops because more bytes are needed: there are none, or only the beginning of a control
    /// frame.
    /// </summary>
    public bool ExpectsControlFrame
    {
        get
        {
            ReadOnlySpan<byte> left = _unread.Span[_frameLength..];
            return left.IsEmpty || FrameHeader.TryRead(left, out FrameHeader header) switch
            {
                FrameHeaderStatus.NeedsMore => (left[0] & 0x08) != 0, // the opcode's control bit; such a header is short
                FrameHeaderStatus.Complete => header.IsControl && header.IsMasked == (source == FrameSource.Client)
                    && left.Length < header.HeaderLength + header.PayloadLength,
                _ => false,
            };
        }
    }

    /// <summary>Returns the memory.</summary>
    public void Dispose()
    {
        _unread.Dispose();
        _frames.Dispose();
        _message.Dispose();
        ControlFrame = default;
        _frameLength = 0;
    }

    private Closing? Check(in FrameHeader header)
    {
        if (header.IsMasked != (source == FrameSource.Client))
            return Closing.ProtocolError;
        if (header.IsControl)
            return source == FrameSource.Client && _controlFrames >= MaxControlFrames ? Closing.InvalidHandshake("too many control frames") : null;
        bool inMessage = _frames.Length > 0;
        if (inMessage != (header.Opcode == Opcode.Continuation))
            return Closing.ProtocolError;
        if (header.Opcode == Opcode.Binary)
            return Closing.InvalidHandshake("binary message");
        if (header.PayloadLength > maxMessageBytes - _message.Length)
            return Closing.TooLarge;

        // Empty fragments never end a message, but their headers are kept.
        return _frames.Length > (2 * maxMessageBytes) + FrameHeader.MaxLength ? Closing.TooLarge : null;
    }

    private FrameEvent Fail(Closing violation)
    {
        Violation = violation;
        return FrameEvent.Violation;
    }
}
