using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>A gateway's refusal (RFC 9457), as opposed to an answer of the backend behind it.</summary>
public sealed record GateProblem
{
    /// <summary>The code of a device that waits for an operator.</summary>
    public const string PairingRequired = "pairing_required";

    private const string ProofRequired = "device_proof_required";
    private const string TypePrefix = "urn:proxygateway:problem:";
    private const int MaxBytes = 64 * 1024;
    private const int MaxTypeLength = 40;
    private const int RequestIdLength = 26;
    private static readonly SearchValues<char> RequestIdCharacters = SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz");
    private static readonly SearchValues<char> TypeCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz-");

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

    /// <summary>Reads the refusal in a response; null if it is none, and then its content is as it was.</summary>
    /// <param name="response">The response.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="HttpRequestException">The connection is lost.</exception>
    /// <exception cref="IOException">The connection is lost.</exception>
    public static async ValueTask<GateProblem?> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(response);
        if ((int)response.StatusCode < 400 || response.Content.Headers.ContentType?.MediaType != "application/problem+json" || response.Content.Headers.ContentLength > MaxBytes)
            return null;
        byte[] body = await StartOfContent.ReadAsync(response, MaxBytes + 1, cancellationToken).ConfigureAwait(false);
        return body.Length <= MaxBytes ? Parse(body, response) : null;
    }

    private static GateProblem? Parse(byte[] body, HttpResponseMessage response)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement problem = document.RootElement;
            if (problem.ValueKind != JsonValueKind.Object || TextOf(problem, "type") is not { } type || !type.StartsWith(TypePrefix, StringComparison.Ordinal))
                return null;
            TimeSpan? retryAfter = response.Headers.RetryAfter?.Delta;
            string? code = TextOf(problem, "code");
            if (!IsProvedByNonce(response))
                return code is null || (code == ProofRequired && HasNonce(response.Headers)) || (int)response.StatusCode >= 500 ? InOwnWords(type[TypePrefix.Length..], (int)response.StatusCode, retryAfter) : null;
            return new GateProblem
            {
                Status = (int)response.StatusCode,
                Code = code ?? type[TypePrefix.Length..].Replace('-', '_'),
                Title = TextOf(problem, "title") ?? "",
                Detail = TextOf(problem, "detail") ?? "",
                RequestId = TextOf(problem, "requestId") is { Length: RequestIdLength } id && !id.AsSpan().ContainsAnyExcept(RequestIdCharacters) ? id : null, // people put it behind a command
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

    // Every refusal of a device has a nonce, and a gateway takes that header out of a backend's answers: so a backend cannot tell people in the gateway's name what to type.
    private static bool IsProvedByNonce(HttpResponseMessage response) =>
        response.RequestMessage?.Options.TryGetValue(DeviceHttpHandler.NonceHeaderOfRequest, out string? wanted) == true ? response.Headers.Contains(wanted) : HasNonce(response.Headers);

    private static bool HasNonce(HttpResponseHeaders headers) => headers.Contains(DeviceHttpHandler.NonceHeader) || headers.Contains(DeviceHttpHandler.DPoPNonceHeader);

    // What a gateway refuses without a look at the device, such as too many requests; and that a route wants its proof in the other header, whose nonce a backend could have sent.
    private static GateProblem? InOwnWords(string type, int status, TimeSpan? retryAfter) => type.Length > MaxTypeLength || type.AsSpan().ContainsAnyExcept(TypeCharacters)
        ? null
        : new GateProblem
        {
            Status = status,
            Code = type.Replace('-', '_'),
            Title = $"The gateway does not take the request: {type.Replace('-', ' ')}.",
            Detail = retryAfter is null ? "" : "Try again later.",
            RetryAfter = retryAfter,
        };

    private static string? TextOf(JsonElement problem, string name) =>
        problem.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
