using System.Globalization;
using System.Net.WebSockets;
using System.Reflection;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>
/// A connection of the gate itself to an OpenClaw gateway, on which it approves pairings: a client of the kind <c>gateway-client</c>, mode
/// <c>backend</c>, with the shared token, without a device unless the backend wants one. One call at a time. Whatever the backend sends, it takes no more memory than one message may.
/// </summary>
internal sealed class PairingConnection : IAsyncDisposable
{
    /// <summary>How long a message may be, in bytes. A list of pairings has about a kilobyte for each device.</summary>
    public const int MaxMessageBytes = 8 * 1024 * 1024;

    /// <summary>How much the backend may send that was not asked for, since the last call, in bytes. Each message counts as a kilobyte at least.</summary>
    public const int MaxUnaskedBytes = 64 * 1024 * 1024;

    private const int ReceiveSize = 16 * 1024;
    private const int LeastOfMessage = 1024;

    private static readonly string Version = typeof(PairingConnection).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    private readonly ClientWebSocket _socket;
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _lock = new();
    private Task _reading = Task.CompletedTask;
    private readonly string _token;
    private readonly HelperDevice? _device;
    private Call? _call;
    private long _calls;
    private long _unasked;

    private PairingConnection(ClientWebSocket socket, string token, HelperDevice? device) => (_socket, _token, _device) = (socket, token, device);

    /// <summary>Whether calls can be made. Once it is false it stays so.</summary>
    public bool IsOpen => !_ended.IsCancellationRequested;

    /// <summary>Opens a connection.</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="token">The backend's shared token.</param>
    /// <param name="device">The device that the gate is there; null: none.</param>
    /// <param name="cancellationToken">There is no more waiting.</param>
    /// <exception cref="BackendPairingException">The backend cannot be reached, or does not let the gate in.</exception>
    /// <exception cref="OperationCanceledException">There is no more waiting.</exception>
    public static async Task<PairingConnection> OpenAsync(BackendDestination destination, string token, HelperDevice? device, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        if (destination.Host is { } host)
            socket.Options.SetRequestHeader("Host", host);
        var connection = new PairingConnection(socket, token, device);
        try
        {
            await socket.ConnectAsync(destination.Address, destination.Client, cancellationToken);
            await connection.ConnectAsync(cancellationToken);
            connection._reading = connection.ReadAsync();
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            throw e switch
            {
                OperationCanceledException when cancellationToken.IsCancellationRequested => e,
                BackendPairingException => e,
                _ => new BackendPairingException($"it cannot be reached ({Describe(e)})", e),
            };
        }
    }

    /// <summary>Makes a call. There must be no other at that time.</summary>
    /// <param name="method">The method.</param>
    /// <param name="writeParameters">Writes the members of its parameters.</param>
    /// <param name="read">Reads the payload of the answer, which is gone after that.</param>
    /// <param name="cancellationToken">There is no more waiting. The connection is of no more use then.</param>
    /// <exception cref="BackendPairingException">The backend refuses, or has left.</exception>
    /// <exception cref="OperationCanceledException">There is no more waiting.</exception>
    public async Task<T> CallAsync<T>(string method, Action<Utf8JsonWriter> writeParameters, Func<JsonElement, T> read, CancellationToken cancellationToken)
    {
        var call = new Call((++_calls).ToString(CultureInfo.InvariantCulture));
        lock (_lock)
        {
            _call = call;
            _unasked = 0;
        }

        try
        {
            using CancellationTokenRegistration onEnd = _ended.Token.UnsafeRegister(static c => ((Call)c!).Answer.TrySetException(Left()), call);
            await SendAsync(call.Id, method, writeParameters, cancellationToken);
            using JsonDocument answer = await call.Answer.Task.WaitAsync(cancellationToken);
            return read(PayloadOf(answer.RootElement));
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException or IOException)
        {
            throw new BackendPairingException("it has left", e);
        }
        catch (InvalidOperationException e)
        {
            throw NotUnderstood(e); // a lone surrogate
        }
        finally
        {
            JsonDocument? late = null;
            lock (_lock)
            {
                _call = null;
                if (!call.Answer.TrySetCanceled(CancellationToken.None) && call.Answer.Task.IsCompletedSuccessfully)
                    late = call.Answer.Task.Result;
            }

            late?.Dispose();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _socket.Abort(); // it was for approvals alone, and there is none under way
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _socket.Dispose();
    }

    private static BackendPairingException Left() => new("it has left");

    // The message can have headers of the backend's.
    private static string Describe(Exception e) => string.Join(" <- ", LogText.Of(e).Split(" <- ").Select(SafeText.Of));

    private static BackendPairingException NotUnderstood(Exception cause) => new("its answer is not understood", cause);

    /// <summary>Waits for the challenge, which only a device signs, and sends the <c>connect</c>.</summary>
    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        using var buffer = new ByteBuffer();
        bool isChallenged = false;
        const string id = "connect";
        while (true)
        {
            ReadOnlyMemory<byte> message = await ReceiveAsync(buffer, cancellationToken) ?? throw Left();
            if (!isChallenged)
            {
                if (!IsChallenge(message.Span))
                    throw new BackendPairingException("it does not begin with a connect.challenge");
                isChallenged = true;
                string nonce = NonceIn(message);
                await SendAsync(id, "connect", json => WriteConnect(json, nonce), cancellationToken);
            }
            else if (IsAnswerTo(id, message.Span))
            {
                using JsonDocument answer = Parse(message);
                _ = PayloadOf(answer.RootElement);
                return;
            }
            else
            {
                Count(message.Length);
            }

            buffer.Clear();
        }
    }

    private void WriteConnect(Utf8JsonWriter json, string nonce)
    {
        json.WriteNumber("minProtocol"u8, 3);
        json.WriteNumber("maxProtocol"u8, 4);
        json.WriteStartObject("client"u8);
        json.WriteString("id"u8, "gateway-client"u8);
        json.WriteString("displayName"u8, "ProxyGateway"u8);
        json.WriteString("version"u8, Version);
        json.WriteString("platform"u8, OperatingSystem.IsWindows() ? "win32"u8 : OperatingSystem.IsMacOS() ? "darwin"u8 : "linux"u8);
        json.WriteString("mode"u8, "backend"u8);
        json.WriteEndObject();
        json.WriteString("role"u8, "operator"u8);
        json.WriteStartArray("scopes"u8);
        json.WriteStringValue("operator.admin"u8);
        json.WriteStringValue("operator.pairing"u8);
        json.WriteEndArray();
        json.WriteStartArray("caps"u8);
        json.WriteEndArray();
        json.WriteStartObject("auth"u8);
        json.WriteString("token"u8, _token);
        json.WriteEndObject();
        _device?.Write(json, "gateway-client|backend|operator|operator.admin,operator.pairing", _token, nonce);
    }

    private async Task SendAsync(string id, string method, Action<Utf8JsonWriter> writeParameters, CancellationToken cancellationToken)
    {
        using var frame = new MemoryStream();
        using (var json = new Utf8JsonWriter(frame))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "req"u8);
            json.WriteString("id"u8, id);
            json.WriteString("method"u8, method);
            json.WriteStartObject("params"u8);
            writeParameters(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        await _socket.SendAsync(frame.ToArray(), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
    }

    /// <summary>Reads what the backend sends, answers and what was not asked for, until either side ends the connection.</summary>
    private async Task ReadAsync()
    {
        try
        {
            while (true)
            {
                using var buffer = new ByteBuffer(); // gives a large one back
                if (await ReceiveAsync(buffer, _ended.Token) is not { } message)
                    return;
                Call? call;
                lock (_lock)
                {
                    call = _call;
                }

                if (call is null || !IsAnswerTo(call.Id, message.Span))
                {
                    Count(message.Length);
                    continue;
                }

                JsonDocument answer = Parse(message.ToArray());
                if (!call.Answer.TrySetResult(answer))
                    answer.Dispose();
            }
        }
        catch (Exception e)
        {
            lock (_lock)
            {
                _call?.Answer.TrySetException(e as BackendPairingException ?? Left());
            }
        }
        finally
        {
            await _ended.CancelAsync();
            _socket.Abort(); // else a backend that floods would go on until somebody needs the connection
        }
    }

    private void Count(int length)
    {
        if (Interlocked.Add(ref _unasked, Math.Max(length, LeastOfMessage)) > MaxUnaskedBytes)
            throw new BackendPairingException("it sends too much that it was not asked for");
    }

    /// <summary>The next text message; null if the backend has left.</summary>
    private async Task<ReadOnlyMemory<byte>?> ReceiveAsync(ByteBuffer buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            ValueWebSocketReceiveResult received = await _socket.ReceiveAsync(buffer.Reserve(ReceiveSize), cancellationToken);
            if (received.MessageType == WebSocketMessageType.Close)
                return null;
            if (received.MessageType == WebSocketMessageType.Binary)
                throw new BackendPairingException("it sends what is no text");
            buffer.Commit(received.Count);
            if (buffer.Length > MaxMessageBytes)
                throw new BackendPairingException($"it sends a message of more than {MaxMessageBytes} bytes");
            if (received.EndOfMessage)
                return buffer.Memory;
        }
    }

    /// <summary>Whether the message is a response with this id. Nothing else of it is read.</summary>
    private static bool IsAnswerTo(string id, ReadOnlySpan<byte> message)
    {
        bool isResponse = false;
        bool isOurs = false;
        var reader = new Utf8JsonReader(message);
        try
        {
            while (reader.Read() && !(isResponse && isOurs))
            {
                if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                bool isType = reader.ValueTextEquals("type"u8);
                bool isId = reader.ValueTextEquals("id"u8);
                reader.Read();
                if (isType || isId)
                {
                    bool isText = reader.TokenType == JsonTokenType.String;
                    isResponse |= isType && isText && reader.ValueTextEquals("res"u8);
                    isOurs |= isId && isText && reader.ValueTextEquals(id);
                    if (isType && !isResponse)
                        return false;
                }

                reader.Skip();
            }

            return isResponse && isOurs;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static bool IsChallenge(ReadOnlySpan<byte> message)
    {
        var reader = new Utf8JsonReader(message);
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals("event"u8))
                    continue;
                return reader.Read() && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("connect.challenge"u8);
            }
        }
        catch (JsonException)
        {
            // No message of the protocol.
        }

        return false;
    }

    private string NonceIn(ReadOnlyMemory<byte> challenge)
    {
        if (_device is null)
            return "";
        using JsonDocument read = Parse(challenge);
        return read.RootElement.TryGetProperty("payload"u8, out JsonElement payload) && PendingPairing.Text(payload, "nonce") is { } nonce
            ? nonce
            : throw new BackendPairingException("its connect.challenge has no nonce");
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> message)
    {
        try
        {
            return JsonDocument.Parse(message, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw NotUnderstood(e);
        }
    }

    /// <summary>The payload of an answer that is <c>ok</c>.</summary>
    /// <exception cref="BackendPairingException">It is not.</exception>
    private JsonElement PayloadOf(JsonElement answer)
    {
        if (answer.TryGetProperty("ok"u8, out JsonElement ok) && ok.ValueKind == JsonValueKind.True
            && answer.TryGetProperty("payload"u8, out JsonElement payload) && payload.ValueKind == JsonValueKind.Object)
        {
            return payload;
        }

        if (answer.GetRawText().Contains(_token, StringComparison.Ordinal))
            throw new BackendPairingException("it refuses, in words that have the token in them, which must not get into a log") { IsRefusal = true };
        BackendRefusal refusal = BackendRefusal.Of(answer);
        throw new BackendPairingException($"it refuses: {refusal.Describe()} ({refusal.Message})")
        {
            IsRefusal = true,
            LacksScope = refusal.Message?.StartsWith("missing scope", StringComparison.Ordinal) == true,
        };
    }

    private sealed class Call(string id)
    {
        public string Id => id;

        public TaskCompletionSource<JsonDocument> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
