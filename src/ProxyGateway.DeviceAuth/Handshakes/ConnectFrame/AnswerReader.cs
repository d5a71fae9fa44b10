using System.Text.Json;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Finds the answer to one request in the backend's stream to the client: a hello can be hundreds of kilobytes. It reads only the top
/// level of each text message. It tells how many bytes may belong to a refusal of the request (<see cref="Undecided"/>), so that they can
/// be held: the first members decide, unless a backend puts them behind the rest.
/// </summary>
/// <param name="requestId">The request's id.</param>
internal sealed class AnswerReader(string requestId) : IDisposable
{
    // The longest token (a string, for example) that may span chunks. A hello has no such strings.
    private const int MaxTokenBytes = 4 * 1024 * 1024;

    // The tokenizer reads an unfinished token again from its beginning. A longer one is read again only once it has doubled, so that a
    // backend which sends a long string byte by byte costs a few readings of each byte, and not one for every later byte.
    private const int ShortToken = 64;

    private const long Decided = -1;

    private readonly ByteBuffer _json = new();
    private FrameHeaderReader _header;
    private bool _inFrame;
    private FrameHeader _frame;
    private long _payloadLeft;
    private Opcode _message; // Continuation: between messages
    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = 128 });
    private TopLevel _found;
    private int _worthReading; // how many bytes must be pending before they are read
    private long _frameStart;
    private long _undecidedFrom = Decided;

    /// <summary>How many bytes were read in all.</summary>
    public long Position { get; private set; }

    /// <summary>How many of the last bytes may belong to a refusal. Those of a refusal stay undecided.</summary>
    public long Undecided => _undecidedFrom == Decided ? 0 : Position - _undecidedFrom;

    /// <summary>How many bytes the tokenizer was given, counting repetitions.</summary>
    public long BytesTokenized { get; private set; }

    /// <summary>Reads bytes that pass. After it has returned an answer it must not be called again.</summary>
    public BackendAnswer Read(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            if (!_inFrame)
            {
                if (!_header.IsInHeader)
                    _frameStart = Position;
                int unread = data.Length;
                FrameHeaderStatus status = _header.Read(ref data, out _frame);
                Position += unread - data.Length;
                switch (status)
                {
                    case FrameHeaderStatus.NeedsMore:
                        if (_message == Opcode.Continuation)
                            _undecidedFrom = _frameStart;
                        return BackendAnswer.None;
                    case FrameHeaderStatus.Malformed:
                        return BackendAnswer.Broken;
                }

                if (_frame.IsControl && _message == Opcode.Continuation)
                    _undecidedFrom = Decided;
                if (_frame.IsMasked || (!_frame.IsControl && !BeginDataFrame()))
                    return BackendAnswer.Broken;
                _payloadLeft = _frame.PayloadLength;
            }

            int length = (int)Math.Min(_payloadLeft, data.Length);
            ReadOnlySpan<byte> payload = data[..length];
            data = data[length..];
            _payloadLeft -= length;
            Position += length;
            _inFrame = _payloadLeft > 0;
            if (_frame.IsControl)
                continue;

            bool isEnd = !_inFrame && _frame.IsFinal;
            bool isText = _message == Opcode.Text;
            if (isText && !ReadJson(payload, isEnd))
                return BackendAnswer.Broken;
            if (!_found.MayBeRefusal)
                _undecidedFrom = Decided;
            if (!isEnd)
                continue;
            _message = Opcode.Continuation;
            if (isText && _found is { IsResponse: true, IsOurs: true })
                return _found.IsOk ? BackendAnswer.Accepted : BackendAnswer.Refused;
            _undecidedFrom = Decided;
        }

        return BackendAnswer.None;
    }

    /// <summary>Counts no byte of the message under way as undecided any more.</summary>
    public void PassOn() => _undecidedFrom = Decided;

    /// <summary>Returns the memory.</summary>
    public void Dispose() => _json.Dispose();

    /// <summary>Whether a data frame may begin here, RFC 6455 §5.4.</summary>
    private bool BeginDataFrame()
    {
        bool inMessage = _message != Opcode.Continuation;
        if (inMessage != (_frame.Opcode == Opcode.Continuation))
            return false;
        if (!inMessage)
        {
            _message = _frame.Opcode;
            _found = default;
            _undecidedFrom = _message == Opcode.Text ? _frameStart : Decided;
            _state = new JsonReaderState(_state.Options);
            _json.Clear();
            _worthReading = 0;
        }

        return true;
    }

    private bool ReadJson(ReadOnlySpan<byte> payload, bool isEnd)
    {
        _json.Append(payload);
        if (!isEnd && (payload.IsEmpty || _json.Length < _worthReading))
            return true;
        BytesTokenized += _json.Length;
        var reader = new Utf8JsonReader(_json.Span, isEnd, _state);
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth <= 1)
                    _found.Take(ref reader, requestId);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false; // an invalid text is no answer
        }

        _json.Consume((int)reader.BytesConsumed);
        _state = reader.CurrentState;
        _worthReading = _json.Length < ShortToken ? 0 : Math.Min(2 * _json.Length, MaxTokenBytes + 1);
        return _json.Length <= MaxTokenBytes;
    }

    /// <summary>
    /// The relevant members of a message's top level. If two readers could read one of them differently, as with duplicates, the answer is
    /// no acceptance.
    /// </summary>
    private struct TopLevel
    {
        private Member _member;
        private int _seen;
        private bool _type;
        private bool _id;
        private bool _ok;
        private bool _looksAlike;
        private bool _isSomethingElse;

        private enum Member
        {
            Other,
            Type,
            Id,
            Ok,
        }

        public readonly bool IsResponse => _type;

        public readonly bool IsOurs => _id;

        /// <summary>Whether it may yet turn out to be a refusal of the request, as far as an honest backend goes.</summary>
        public readonly bool MayBeRefusal => !_isSomethingElse;

        public readonly bool IsOk => _ok && _seen == 3 && !_looksAlike;

        public void Take(ref Utf8JsonReader reader, string requestId)
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                _member = reader.ValueTextEquals(ConnectMember.Type.Utf8) ? Member.Type
                    : reader.ValueTextEquals(ConnectMember.Id.Utf8) ? Member.Id
                    : reader.ValueTextEquals(ConnectMember.Ok.Utf8) ? Member.Ok
                    : Member.Other;
                _looksAlike |= ConnectMember.IsLookAlike(in reader);
                _seen += _member == Member.Other ? 0 : 1;
                return;
            }

            if (reader.CurrentDepth == 1)
            {
                switch (_member)
                {
                    case Member.Type:
                        bool isResponse = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("res"u8);
                        _type |= isResponse;
                        _isSomethingElse |= !isResponse;
                        break;
                    case Member.Id:
                        bool isOurs = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(requestId);
                        _id |= isOurs;
                        _isSomethingElse |= !isOurs;
                        break;
                    case Member.Ok:
                        _ok = reader.TokenType == JsonTokenType.True;
                        _isSomethingElse |= _ok;
                        break;
                }
            }
        }
    }
}
