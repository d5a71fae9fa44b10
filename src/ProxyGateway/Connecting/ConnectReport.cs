using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.Connecting;

/// <summary>The result of an attempt to connect.</summary>
internal sealed record ConnectReport
{
    public required bool Admitted { get; init; }

    public required string DeviceId { get; init; }

    /// <summary>The fingerprint that people compare before they approve the device.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>The role that was asked for; null: the route's.</summary>
    public required string? Role { get; init; }

    /// <summary>The scopes that were asked for; null: the route's.</summary>
    public required IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>The backend's protocol version, once admitted.</summary>
    public int? Protocol { get; init; }

    /// <summary>The backend's description of itself, once admitted.</summary>
    public JsonElement? Server { get; init; }

    /// <summary>The most specific code of the refusal.</summary>
    public string? Code { get; init; }

    public string? Message { get; init; }

    public string? Reason { get; init; }

    public string? RequestId { get; init; }

    public string? RemediationHint { get; init; }

    public int? CloseCode { get; init; }

    public string? CloseReason { get; init; }

    /// <summary>The status, if the upgrade itself was refused.</summary>
    public int? HttpStatus { get; init; }

    /// <summary>Whether the same attempt may succeed later without any change.</summary>
    [JsonIgnore]
    public bool MayRetry { get; init; }

    /// <summary>Sets the refusal from the <c>error</c> of a <c>res</c>, and its <c>details</c>.</summary>
    public ConnectReport WithError(JsonElement error)
    {
        JsonElement details = Member(error, "details");
        string? code = Text(error, "code");
        return this with
        {
            Code = Text(details, "code") ?? code,
            Message = Text(error, "message"),
            Reason = Text(details, "reason"),
            RequestId = Text(details, "requestId"),
            RemediationHint = Text(details, "remediationHint"),
            MayRetry = Text(details, "code") == "PAIRING_REQUIRED"
                ? Member(details, "pauseReconnect").ValueKind == JsonValueKind.False || Text(details, "recommendedNextStep") == "wait_then_retry"
                : code == "UNAVAILABLE",
        };
    }

    /// <summary>Sets the answer to a proof.</summary>
    public ConnectReport WithAnswer(ProofAnswer answer) => this with
    {
        HttpStatus = answer.Status,
        Code = answer.Problem?.Code,
        Message = answer.Problem?.Title,
        Reason = answer.Problem?.Reason,
        RequestId = answer.Problem?.RequestId,
        RemediationHint = answer.Problem?.Detail,
        MayRetry = answer.Problem?.IsRetryable ?? answer.Status is 429 or 502 or 503 or 504,
    };

    /// <summary>Sets the refusal of an upgrade.</summary>
    public ConnectReport WithHttpStatus(HttpStatusCode status) => this with
    {
        HttpStatus = (int)status,
        MayRetry = status is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway,
    };

    /// <summary>
    /// Sets the close frame; 1012 and 1013 (RFC 6455's registry: service restart, try again later) invite another attempt.
    /// </summary>
    public ConnectReport WithClose(int? code, string? reason) => this with
    {
        CloseCode = code,
        CloseReason = string.IsNullOrEmpty(reason) ? null : reason,
        MayRetry = MayRetry || (Code is null && code is 1012 or 1013),
    };

    private static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement member) ? member : default;

    private static string? Text(JsonElement element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.String } member ? member.GetString() : null;
}
