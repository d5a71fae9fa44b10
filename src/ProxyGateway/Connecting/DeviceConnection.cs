using System.Buffers;
using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Connecting;

/// <summary>One connection of a device, up to the end of the handshake: challenge, signed <c>connect</c>, answer.</summary>
internal sealed class DeviceConnection(DeviceIdentity identity, ConnectAsk ask)
{
    private const string RequestId = "connect-1";
    private const string ClientId = "cli";
    private const string ClientMode = "cli";
    private const int MinProtocol = 3;
    private const int MaxProtocol = 4;
    private const int MaxMessageBytes = 16 * 1024 * 1024;
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);
    private static readonly string Platform = OperatingSystem.IsLinux() ? "linux" : OperatingSystem.IsMacOS() ? "darwin" : "win32";

    /// <summary>The device.</summary>
    public DeviceId Identity => identity.Id;

    /// <summary>Connects, reports and disconnects.</summary>
    /// <exception cref="CommandFailedException">No WebSocket server is at the address.</exception>
    public async Task<ConnectReport> TryAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(HandshakeTimeout);
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        if (ask.Url.IsLoopback)
            socket.Options.Proxy = null;
        try
        {
            await socket.ConnectAsync(ask.Url, deadline.Token);
            return await HandshakeAsync(socket, deadline.Token);
        }
        catch (WebSocketException) when ((int)socket.HttpStatusCode >= 200)
        {
            return NewReport().WithHttpStatus(socket.HttpStatusCode);
        }
        catch (WebSocketException e)
        {
            throw new CommandFailedException(ExitCodes.Unreachable, $"No gateway answers at {ask.Url} ({(e.InnerException ?? e).Message})");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandFailedException(ExitCodes.Unreachable, $"{ask.Url} does not answer in time");
        }
    }

    private async Task<ConnectReport> HandshakeAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        using JsonDocument? challenge = await ReceiveAsync(socket, IsChallenge, cancellationToken);
        if (challenge is null)
            return Closed(socket, NewReport());
        string nonce = challenge.RootElement.GetProperty("payload").GetProperty("nonce").GetString() ?? "";

        await socket.SendAsync(ConnectFrame(nonce), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        using JsonDocument? answer = await ReceiveAsync(socket, IsAnswer, cancellationToken);
        if (answer is null)
            return Closed(socket, NewReport());

        if (answer.RootElement.TryGetProperty("ok", out JsonElement ok) && ok.ValueKind == JsonValueKind.True)
        {
            ConnectReport admitted = Admitted(answer.RootElement);
            await HangUpAsync(socket, cancellationToken);
            return admitted;
        }

        ConnectReport refused = NewReport().WithError(answer.RootElement.TryGetProperty("error", out JsonElement error) ? error : default);
        using JsonDocument? rest = await ReceiveAsync(socket, static _ => false, cancellationToken);
        return Closed(socket, refused);
    }

    private ConnectReport NewReport() => new() { Admitted = false, DeviceId = identity.Id.ToString(), Fingerprint = identity.Id.Fingerprint, Role = ask.Role, Scopes = ask.Scopes };

    private ConnectReport Admitted(JsonElement answer)
    {
        ConnectReport report = NewReport() with { Admitted = true };
        if (!answer.TryGetProperty("payload", out JsonElement payload) || payload.ValueKind != JsonValueKind.Object)
            return report;
        return report with
        {
            Protocol = payload.TryGetProperty("protocol", out JsonElement protocol) && protocol.TryGetInt32(out int number) ? number : null,
            Server = payload.TryGetProperty("server", out JsonElement server) ? server.Clone() : null,
        };
    }

    private static ConnectReport Closed(ClientWebSocket socket, ConnectReport report) =>
        report.WithClose((int?)socket.CloseStatus, socket.CloseStatusDescription);

    private static async Task HangUpAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(CloseTimeout);
        try
        {
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, deadline.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // Only the handshake matters here; a missing close frame does not.
        }
    }

    /// <summary>The next message of that kind; others are skipped. Null if the connection ends first.</summary>
    private static async Task<JsonDocument?> ReceiveAsync(
        ClientWebSocket socket, Func<JsonElement, bool> isWanted, CancellationToken cancellationToken)
    {
        var message = new ArrayBufferWriter<byte>(16 * 1024);
        while (true)
        {
            message.ResetWrittenCount();
            ValueWebSocketReceiveResult received;
            do
            {
                try
                {
                    received = await socket.ReceiveAsync(message.GetMemory(4096), cancellationToken);
                }
                catch (WebSocketException)
                {
                    return null;
                }

                if (received.MessageType == WebSocketMessageType.Close)
                {
                    await HangUpAsync(socket, cancellationToken);
                    return null;
                }

                message.Advance(received.Count);
                if (message.WrittenCount > MaxMessageBytes)
                    throw new CommandFailedException(ExitCodes.Refused, $"A message of more than {MaxMessageBytes} bytes came instead of an answer");
            }
            while (!received.EndOfMessage);

            if (Parse(message.WrittenMemory) is not { } document)
                continue;
            if (isWanted(document.RootElement))
                return document;
            document.Dispose();
        }
    }

    private static JsonDocument? Parse(ReadOnlyMemory<byte> message)
    {
        try
        {
            return JsonDocument.Parse(message.ToArray());
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsChallenge(JsonElement message) =>
        Is(message, "type", "event") && Is(message, "event", "connect.challenge")
        && message.TryGetProperty("payload", out JsonElement payload) && payload.ValueKind == JsonValueKind.Object
        && payload.TryGetProperty("nonce", out JsonElement nonce) && nonce.ValueKind == JsonValueKind.String;

    private static bool IsAnswer(JsonElement message) => Is(message, "type", "res") && Is(message, "id", RequestId);

    private static bool Is(JsonElement message, string name, string value) =>
        message.ValueKind == JsonValueKind.Object && message.TryGetProperty(name, out JsonElement member)
        && member.ValueKind == JsonValueKind.String && member.ValueEquals(value);

    private ReadOnlyMemory<byte> ConnectFrame(string nonce)
    {
        string signedAt = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        string signature = identity.Sign(string.Join('|',
            "v3", identity.Id, ClientId, ClientMode, ask.Role, string.Join(',', ask.Scopes), signedAt, ask.Token, nonce, Platform, ""));

        var frame = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(frame);
        json.WriteStartObject();
        json.WriteString("type", "req");
        json.WriteString("id", RequestId);
        json.WriteString("method", "connect");
        json.WriteStartObject("params");
        json.WriteNumber("minProtocol", MinProtocol);
        json.WriteNumber("maxProtocol", MaxProtocol);

        json.WriteStartObject("client");
        json.WriteString("id", ClientId);
        json.WriteString("displayName", "proxygateway connect");
        json.WriteString("version", "1.0.0");
        json.WriteString("platform", Platform);
        json.WriteString("mode", ClientMode);
        json.WriteEndObject();

        json.WriteString("role", ask.Role);
        json.WriteStartArray("scopes");
        foreach (string scope in ask.Scopes)
            json.WriteStringValue(scope);
        json.WriteEndArray();
        json.WriteStartArray("caps");
        json.WriteEndArray();

        if (ask.Token is not null)
        {
            json.WriteStartObject("auth");
            json.WriteString("token", ask.Token);
            json.WriteEndObject();
        }

        json.WriteStartObject("device");
        json.WriteString("id", identity.Id.ToString());
        json.WriteString("publicKey", identity.PublicKey);
        json.WriteString("signature", signature);
        json.WritePropertyName("signedAt");
        json.WriteRawValue(signedAt);
        json.WriteString("nonce", nonce);
        json.WriteEndObject();

        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return frame.WrittenMemory;
    }
}
