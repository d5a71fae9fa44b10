using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>
/// The message for one event, as Standard Webhooks defines it. Every attempt has the same id and body, and its own time and signature.
/// </summary>
/// <param name="Id">Unique to the event and the webhook, so that a receiver recognises a duplicate.</param>
/// <param name="Body">JSON: type, timestamp and data.</param>
internal sealed record WebhookMessage(string Id, byte[] Body)
{
    public const string IdHeader = "webhook-id";
    public const string TimestampHeader = "webhook-timestamp";
    public const string SignatureHeader = "webhook-signature";

    public static WebhookMessage Of(AuditEntry entry) => new(
        $"msg_{Guid.CreateVersion7():N}",
        JsonSerializer.SerializeToUtf8Bytes(new WebhookBody(entry.Kind, entry.Time, entry), AdminJsonContext.Default.WebhookBody));

    public HttpRequestMessage ToRequest(Uri url, ReadOnlySpan<byte> secret, DateTimeOffset now)
    {
        string timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(Body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add(IdHeader, Id);
        request.Headers.Add(TimestampHeader, timestamp);
        request.Headers.Add(SignatureHeader, Sign(secret, Id, timestamp, Body));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("ProxyGateway", productVersion: null));
        return request;
    }

    /// <summary>The signature: HMAC-SHA256 over id, time and body.</summary>
    public static string Sign(ReadOnlySpan<byte> secret, string id, string timestamp, ReadOnlySpan<byte> body) =>
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, [.. Encoding.ASCII.GetBytes($"{id}.{timestamp}."), .. body]));
}

/// <summary>The body for receivers.</summary>
/// <param name="Type">The event's kind, one of <see cref="AuditKinds"/>.</param>
/// <param name="Timestamp">When it happened.</param>
/// <param name="Data">The audit entry; its id is not known yet.</param>
internal sealed record WebhookBody(string Type, DateTimeOffset Timestamp, AuditEntry Data);
