using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>
/// The <c>connect</c> request of the OpenClaw gateway protocol, by which a device proves its Ed25519 key in the handshake ConnectFrame: what it asks for, and the
/// frame that is sent as a text message after the backend's <c>connect.challenge</c>.
/// </summary>
public sealed record ConnectFrame
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The lowest version of the protocol that the client speaks.</summary>
    public int MinProtocol { get; init; } = 3;

    /// <summary>The highest version of the protocol that the client speaks.</summary>
    public int MaxProtocol { get; init; } = 4;

    /// <summary>The role that is asked for: 1 to 128 of A-Z a-z 0-9 . _ : -.</summary>
    public string Role { get; init; } = "operator";

    /// <summary>The scopes that are asked for, of the same characters.</summary>
    public IReadOnlyCollection<string> Scopes { get; init; } = [];

    /// <summary>What the device says about itself. The signature covers its id, mode and platform. An absent id or mode is sent as <c>cli</c>.</summary>
    public ClientClaim Client { get; init; } = new();

    /// <summary>The family of the device (<c>client.deviceFamily</c>), which is signed; null: none.</summary>
    public string? DeviceFamily { get; init; }

    /// <summary>The shared token (<c>auth.token</c>), which is signed; null: none.</summary>
    public string? Token { get; init; }

    /// <summary>The profile of a trusted broker (<c>auth.trustedBrokerProfileId</c>), which version 4 of the signature alone covers; null: none.</summary>
    public string? TrustedBrokerProfileId { get; init; }

    /// <summary>
    /// The version of what is signed: 2 or 3, as clients of these versions sign. With <see cref="TrustedBrokerProfileId"/> it is 4, whatever this says.
    /// </summary>
    public int SignatureVersion { get; init; } = 3;

    /// <summary>The frame, signed.</summary>
    /// <param name="signer">The device's key, an Ed25519 one.</param>
    /// <param name="id">The request's id, which the answer repeats.</param>
    /// <param name="nonce">The challenge's nonce, unchanged.</param>
    /// <param name="time">The device's time. The gateway accepts two minutes of difference.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>The text of the message.</returns>
    /// <exception cref="ArgumentException">The key is not an Ed25519 one.</exception>
    public async ValueTask<string> SignAsync(IDeviceSigner signer, string id, string nonce, DateTimeOffset time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(signer);
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(nonce);
        if (signer.Algorithm != DeviceAlgorithm.Ed25519)
            throw new ArgumentException("The handshake ConnectFrame knows Ed25519 keys alone.", nameof(signer));
        string device = DeviceFingerprint.IdOf(signer.PublicKey.Span);
        long signedAt = time.ToUnixTimeMilliseconds();
        byte[] signature = await signer.SignAsync(Encoding.UTF8.GetBytes(SignedText(device, nonce, signedAt)), cancellationToken).ConfigureAwait(false);
        return FrameOf(id, nonce, signedAt, device, signer.PublicKey.Span, signature);
    }

    /// <summary>What the device signs.</summary>
    internal string SignedText(string device, string nonce, long signedAt)
    {
        string time = signedAt.ToString(CultureInfo.InvariantCulture);
        string platform = Normalize(Client.Platform);
        string family = Normalize(DeviceFamily);
        if (TrustedBrokerProfileId is { } profile)
        {
            string[] fields =
            [
                device, ClientId, ClientMode, Role, Scopes.Count.ToString(CultureInfo.InvariantCulture), .. Scopes, time, Token ?? "", nonce, platform, family, profile,
            ];
            return "v4" + string.Concat(fields.Select(static field => string.Create(CultureInfo.InvariantCulture, $"|{field.Length}:{field}")));
        }

        string common = string.Join('|', $"v{SignatureVersion}", device, ClientId, ClientMode, Role, string.Join(',', Scopes), time, Token, nonce);
        return SignatureVersion switch
        {
            2 => common,
            3 => $"{common}|{platform}|{family}",
            _ => throw new InvalidOperationException("The version of the signature is 2 or 3."),
        };
    }

    private string ClientId => Client.Id ?? "cli";

    private string ClientMode => Client.Mode ?? "cli";

    private string FrameOf(string id, string nonce, long signedAt, string device, ReadOnlySpan<byte> publicKey, byte[] signature)
    {
        var frame = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(frame, Plain);
        json.WriteStartObject();
        json.WriteString("type"u8, "req"u8);
        json.WriteString("id"u8, id);
        json.WriteString("method"u8, "connect"u8);
        json.WriteStartObject("params"u8);
        json.WriteNumber("minProtocol"u8, MinProtocol);
        json.WriteNumber("maxProtocol"u8, MaxProtocol);
        WriteClient(json);
        json.WriteString("role"u8, Role);
        json.WriteStartArray("scopes"u8);
        foreach (string scope in Scopes)
            json.WriteStringValue(scope);
        json.WriteEndArray();
        json.WriteStartArray("caps"u8);
        json.WriteEndArray();
        if (Token is not null || TrustedBrokerProfileId is not null)
        {
            json.WriteStartObject("auth"u8);
            json.WriteOptional("token"u8, Token);
            json.WriteOptional("trustedBrokerProfileId"u8, TrustedBrokerProfileId);
            json.WriteEndObject();
        }

        json.WriteStartObject("device"u8);
        json.WriteString("id"u8, device);
        json.WriteString("publicKey"u8, Base64Url.EncodeToString(publicKey));
        json.WriteString("signature"u8, Base64Url.EncodeToString(signature));
        json.WriteNumber("signedAt"u8, signedAt);
        json.WriteString("nonce"u8, nonce);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return Encoding.UTF8.GetString(frame.WrittenSpan);
    }

    private void WriteClient(Utf8JsonWriter json)
    {
        json.WriteStartObject("client"u8);
        json.WriteString("id"u8, ClientId);
        json.WriteOptional("displayName"u8, Client.DisplayName);
        json.WriteString("version"u8, Client.Version ?? "1.0.0");
        json.WriteOptional("platform"u8, Client.Platform);
        json.WriteOptional("deviceFamily"u8, DeviceFamily);
        json.WriteString("mode"u8, ClientMode);
        json.WriteEndObject();
    }

    // Trimmed, with ASCII upper case lowered, as the gateway does it.
    private static string Normalize(string? text) =>
        text is null ? "" : string.Concat(text.Trim().Select(static c => char.IsAsciiLetterUpper(c) ? char.ToLowerInvariant(c) : c));
}
