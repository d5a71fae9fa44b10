using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>A gateway's refusal (RFC 9457), as opposed to an answer of the backend behind it.</summary>
public sealed record GateProblem
{
    /// <summary>The code of a device that waits for an operator.</summary>
    public const string PairingRequired = "pairing_required";

    private const string TypePrefix = "urn:proxygateway:problem:";
    private const int MaxBytes = 64 * 1024;

    /// <summary>The HTTP status.</summary>
    public required int Status { get; init; }

    /// <summary>What programs decide by, such as <see cref="PairingRequired"/>.</summary>
    public required string Code { get; init; }

    /// <summary>What is the matter, for people.</summary>
    public required string Title { get; init; }

    /// <summary>What to do, for people.</summary>
    public required string Detail { get; init; }

    /// <summary>The pairing request that waits for an operator; null if there is none.</summary>
    public string? RequestId { get; init; }

    /// <summary>Why the device is not let in: <c>not-paired</c>, <c>role-upgrade</c> or <c>scope-upgrade</c>; null if it is not about that.</summary>
    public string? Reason { get; init; }

    /// <summary>Whether the same may succeed later without anything being done on this side; null if the gateway does not say.</summary>
    public bool? IsRetryable { get; init; }

    /// <summary>How long to wait before the next attempt; null if the gateway does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Reads the refusal in a response; null if it is none, and then its content is untouched.</summary>
    /// <param name="response">The response.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="HttpRequestException">The connection is lost.</exception>
    public static async ValueTask<GateProblem?> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(response);
        if ((int)response.StatusCode < 400 || response.Content.Headers.ContentType?.MediaType != "application/problem+json" || response.Content.Headers.ContentLength > MaxBytes)
            return null;
        await response.Content.LoadIntoBufferAsync(MaxBytes, cancellationToken).ConfigureAwait(false);
        return Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false), (int)response.StatusCode, response.Headers.RetryAfter?.Delta);
    }

    private static GateProblem? Parse(byte[] body, int status, TimeSpan? retryAfter)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement problem = document.RootElement;
            if (problem.ValueKind != JsonValueKind.Object || TextOf(problem, "type") is not { } type || !type.StartsWith(TypePrefix, StringComparison.Ordinal))
                return null;
            return new GateProblem
            {
                Status = status,
                Code = TextOf(problem, "code") ?? type[TypePrefix.Length..].Replace('-', '_'),
                Title = TextOf(problem, "title") ?? "",
                Detail = TextOf(problem, "detail") ?? "",
                RequestId = TextOf(problem, "requestId"),
                Reason = TextOf(problem, "reason"),
                IsRetryable = problem.TryGetProperty("retryable", out JsonElement retryable) && retryable.ValueKind is JsonValueKind.True or JsonValueKind.False ? retryable.GetBoolean() : null,
                RetryAfter = retryAfter,
            };
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? TextOf(JsonElement problem, string name) =>
        problem.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
