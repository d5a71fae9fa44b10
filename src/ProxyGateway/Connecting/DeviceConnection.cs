using System.Buffers;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting;

/// <summary>
/// One connection of a device, up to the end of the handshake: challenge, signed <c>connect</c>, answer; or, where the gateway's answer says that the route
/// wants a proof, a request with one.
/// </summary>
internal sealed class DeviceConnection(DeviceIdentity identity, ConnectAsk ask) : IDisposable
{
    private const string RequestId = "connect-1";
    private const string DefaultRole = "operator";
    private const int MaxMessageBytes = 16 * 1024 * 1024;
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);
    private static readonly ClientClaim Client = new()
    {
        Id = "cli",
        DisplayName = "proxygateway connect",
        Version = "1.0.0",
        Platform = ClientClaim.CurrentPlatform,
        Mode = "cli",
    };

    private readonly ProofProbe _probe = new(identity, ask.HttpUrl, new ProofClaims { Role = ask.Role, Scopes = ask.Scopes, Client = Client, Invitation = ask.Invitation }) { Trusted = ask.Trusted };
    private bool _isOfProofRoute = !ask.IsWebSocket;

    /// <summary>What people compare before they let the device in.</summary>
    public string Fingerprint => DeviceFingerprint.Of(identity.Id);

    /// <summary>Connects, reports and disconnects.</summary>
    /// <exception cref="CommandFailedException">No gateway is at the address.</exception>
    public async Task<ConnectReport> TryAsync(CancellationToken cancellationToken)
    {
        if (!_isOfProofRoute && await TryWebSocketAsync(cancellationToken) is { } report)
            return report;
        _isOfProofRoute = true;
        try
        {
            ProofAnswer answer = await _probe.AskAsync(cancellationToken);
            return answer.IsOfProofRoute
                ? new ConnectReport { Admitted = answer.IsAdmitted, DeviceId = identity.Id, Fingerprint = Fingerprint, Role = ask.Role, Scopes = ask.Scopes }.WithAnswer(answer)
                : throw new CommandFailedException(
                    ExitCodes.Refused, $"{ask.HttpUrl} answers {answer.Status} and wants no proof; a gateway before an OpenClaw server has a URL with ws or wss");
        }
        catch (HttpRequestException e) when (e.InnerException is ArgumentException)
        {
            throw new CommandFailedException(ExitCodes.Refused, e.Message); // a proof must not go there
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException)
        {
            throw Unreachable(ask.HttpUrl, e);
        }
    }

    /// <summary>Tries until the device is let in, or it makes no sense to go on.</summary>
    /// <param name="onWaiting">Hears of each new reason to wait: the report, or null if nothing answers; and the reason in words.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="CommandFailedException">It is no gateway.</exception>
    public async Task<ConnectReport> WaitAsync(Action<ConnectReport?, string> onWaiting, CancellationToken cancellationToken)
    {
        string? said = null;
        for (TimeSpan pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            ConnectReport? report = null;
            string why;
            try
            {
                report = await TryAsync(cancellationToken);
                if (report.Admitted || !report.MayRetry)
                    return report;
                why = report.RemediationHint ?? report.Message ?? report.CloseReason ?? $"HTTP {report.HttpStatus}";
            }
            catch (CommandFailedException e) when (e.ExitCode == ExitCodes.Unreachable)
            {
                why = e.Message;
            }

            if (why != said)
                onWaiting(report, why);
            said = why;
            await Task.Delay(pause, cancellationToken);
        }
    }

    public void Dispose() => _probe.Dispose();

    // A certificate that is not trusted now will not be trusted in a minute.
    private static CommandFailedException Unreachable(Uri url, Exception e) => Authorities.IsAboutCertificate(e)
        ? new CommandFailedException(ExitCodes.Refused, $"The certificate of {url.Authority} is not trusted. {Authorities.WhyUnreachable(e)}")
        : new CommandFailedException(ExitCodes.Unreachable, $"No gateway answers at {url} ({Authorities.WhyUnreachable(e)})");

    /// <summary>Null if the route wants a proof.</summary>
    private async Task<ConnectReport?> TryWebSocketAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(HandshakeTimeout);
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        using var transport = new HttpMessageInvoker(Authorities.NewTransport(ask.Trusted));
        try
        {
            await socket.ConnectAsync(ask.Url, transport, deadline.Token);
            return await HandshakeAsync(socket, deadline.Token);
        }
        catch (WebSocketException) when ((int)socket.HttpStatusCode >= 200)
        {
            if (socket.HttpResponseHeaders is { } headers && (headers.ContainsKey("Device-Nonce") || headers.ContainsKey("DPoP-Nonce")))
                return null;
            return NewReport().WithHttpStatus(socket.HttpStatusCode);
        }
        catch (WebSocketException e)
        {
            throw Unreachable(ask.Url, e.InnerException ?? e);
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

        ConnectFrame connect = new() { Role = ask.Role ?? DefaultRole, Scopes = ask.Scopes ?? [], Client = Client, Token = ask.Token };
        string frame = await connect.SignAsync(identity, RequestId, nonce, TimeProvider.System.GetUtcNow(), cancellationToken);
        await socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
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

    private ConnectReport NewReport() => new() { Admitted = false, DeviceId = identity.Id, Fingerprint = Fingerprint, Role = ask.Role ?? DefaultRole, Scopes = ask.Scopes ?? [] };

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
}
