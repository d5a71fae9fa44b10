using System.Buffers.Text;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>A device: an Ed25519 key that proves its identity in the handshake of the OpenClaw gateway protocol. Thread-safe.</summary>
public sealed class DeviceClient : IDisposable
{
    private readonly DeviceIdentity _identity;
    private readonly TimeProvider _time;

    /// <summary>A device with a new key.</summary>
    /// <param name="time">The device's clock for signatures; null for the system's.</param>
    public DeviceClient(TimeProvider? time = null)
        : this(DeviceIdentity.Create(), time)
    {
    }

    /// <summary>The device of a key.</summary>
    /// <param name="seed">The private key, 32 bytes (RFC 8032 §5.1.5).</param>
    /// <param name="time">The device's clock for signatures; null for the system's.</param>
    /// <exception cref="FormatException">The key is invalid.</exception>
    public DeviceClient(ReadOnlySpan<byte> seed, TimeProvider? time = null)
        : this(DeviceIdentity.FromSeed(seed), time)
    {
    }

    private DeviceClient(DeviceIdentity identity, TimeProvider? time)
    {
        (_identity, _time) = (identity, time ?? TimeProvider.System);
        Id = DeviceId.Parse(identity.Id);
        PublicKey = Base64Url.EncodeToString(identity.PublicKey.Span);
    }

    /// <summary>The device's id.</summary>
    public DeviceId Id { get; }

    /// <summary>The raw public key as base64url without padding.</summary>
    public string PublicKey { get; }

    /// <summary>
    /// Connects: waits for the backend's challenge, answers it with a signed <c>connect</c>, and waits until that is accepted, or the
    /// connection is closed.
    /// </summary>
    /// <param name="address">The gate's address: http, https, ws or wss.</param>
    /// <param name="role">The role to connect as.</param>
    /// <param name="scopes">The scopes to ask for; null for none.</param>
    /// <param name="options">Further parameters; null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>Admitted, with the open connection; or refused, and why.</returns>
    /// <exception cref="WebSocketException">Nothing listens there, or it is no WebSocket endpoint.</exception>
    /// <exception cref="TimeoutException">The handshake took longer than <see cref="ConnectOptions.Timeout"/>.</exception>
    /// <exception cref="JsonException">A message of the other side violates the protocol.</exception>
    public async Task<ConnectResult> ConnectAsync(
        Uri address, string role = "operator", IReadOnlyCollection<string>? scopes = null, ConnectOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentException.ThrowIfNullOrEmpty(role);
        options ??= new ConnectOptions();
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        options.ConfigureWebSocket?.Invoke(socket.Options);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(options.Timeout);
        ConnectResult? result = null;
        try
        {
            await socket.ConnectAsync(WebSocketAddress(address), patience.Token);
            return result = await ShakeHandsAsync(socket, role, scopes ?? [], options, patience.Token);
        }
        catch (WebSocketException) when (socket.HttpStatusCode is not (default(HttpStatusCode) or HttpStatusCode.SwitchingProtocols))
        {
            return new ConnectResult.Refused { HttpStatus = socket.HttpStatusCode };
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Neither admitted nor refused within {options.Timeout}.", e);
        }
        finally
        {
            if (result is not ConnectResult.Admitted)
                socket.Dispose();
        }
    }

    /// <summary>Deletes the key from memory.</summary>
    public void Dispose() => _identity.Dispose();

    private async Task<ConnectResult> ShakeHandsAsync(
        ClientWebSocket socket, string role, IReadOnlyCollection<string> scopes, ConnectOptions options, CancellationToken cancellationToken)
    {
        string id = Guid.NewGuid().ToString("N");
        ConnectFrame connect = ConnectFrameOf(role, scopes, options);
        JsonElement? error = null;
        while (await ReceiveAsync(socket, cancellationToken) is { } message)
        {
            using JsonDocument document = JsonDocument.Parse(message);
            JsonElement frame = document.RootElement;
            if (IsText(frame, "event", "connect.challenge"))
                await socket.SendTextAsync(await connect.SignAsync(_identity, id, NonceOf(frame), _time.GetUtcNow(), cancellationToken), cancellationToken);
            else if (IsText(frame, "type", "res") && IsText(frame, "id", id) && frame.TryGetProperty("ok", out JsonElement ok) && ok.ValueKind == JsonValueKind.True)
                return new ConnectResult.Admitted(socket, frame.TryGetProperty("payload", out JsonElement payload) ? payload.Clone() : default);
            else if (IsText(frame, "type", "res") && frame.TryGetProperty("error", out JsonElement refusal))
                error = refusal.Clone();
        }

        return new ConnectResult.Refused { CloseCode = (int?)socket.CloseStatus, CloseReason = socket.CloseStatusDescription, Error = error };
    }

    // The other side may refuse by disconnecting.
    private static async Task<string?> ReceiveAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        try
        {
            return await socket.ReceiveTextAsync(cancellationToken);
        }
        catch (WebSocketException)
        {
            return null;
        }
    }

    private static ConnectFrame ConnectFrameOf(string role, IReadOnlyCollection<string> scopes, ConnectOptions options) => new()
    {
        MinProtocol = options.Protocol,
        MaxProtocol = options.Protocol,
        Role = role,
        Scopes = scopes,
        Client = new ClientClaim
        {
            Id = options.ClientId,
            DisplayName = options.DisplayName,
            Version = options.ClientVersion,
            Platform = options.Platform,
            Mode = options.ClientMode,
        },
        DeviceFamily = options.DeviceFamily,
        Token = options.Token,
    };

    private static string NonceOf(JsonElement challenge) =>
        challenge.TryGetProperty("payload", out JsonElement payload) && payload.ValueKind == JsonValueKind.Object
        && payload.TryGetProperty("nonce", out JsonElement nonce) && nonce.ValueKind == JsonValueKind.String
            ? nonce.GetString()!
            : throw new JsonException("The challenge has no nonce.");

    private static bool IsText(JsonElement frame, string name, string text) =>
        frame.ValueKind == JsonValueKind.Object && frame.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static Uri WebSocketAddress(Uri address) => new UriBuilder(address)
    {
        Scheme = address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeWss ? Uri.UriSchemeWss : Uri.UriSchemeWs,
        Port = address.Port,
    }.Uri;
}
