using System.Buffers;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>
/// Why a backend refuses, in its own words, made safe to show: each is short, and what is no name is cleaned.
/// </summary>
/// <param name="Code">The error's code.</param>
/// <param name="DetailsCode">The code of its details, which is more exact.</param>
/// <param name="Reason">The reason of its details.</param>
/// <param name="RequestId">The id of a pairing request of the backend's own; null if it names none, or one that no client would take for an id.</param>
/// <param name="Retries">Whether it tells the client to come again by itself.</param>
internal sealed record BackendRefusal(string? Code, string? DetailsCode, string? Reason, string? RequestId, bool Retries)
{
    private const int MaxRequestIdLength = 128;

    /// <summary>A refusal that says nothing that is understood.</summary>
    public static readonly BackendRefusal Unknown = new(Code: null, DetailsCode: null, Reason: null, RequestId: null, Retries: false);

    private static readonly SearchValues<char> IdCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    /// <summary>The error's message, for people.</summary>
    public string? Message { get; init; }

    /// <summary>The roles that the device has at the backend already, as it says.</summary>
    public ScopeSet ApprovedRoles { get; init; } = ScopeSet.Empty;

    /// <summary>The scopes that the device has at the backend already, as it says.</summary>
    public ScopeSet ApprovedScopes { get; init; } = ScopeSet.Empty;

    /// <summary>Whether it asks its own pairing question, which an operator of the backend can answer.</summary>
    public bool AsksForPairing => RequestId is not null && (DetailsCode == "PAIRING_REQUIRED" || (DetailsCode is null && Code == "NOT_PAIRED"));

    /// <summary>Whether the backend does not know a token that it has issued to the device: it has forgotten the pairing.</summary>
    public bool ForgotDevice => DetailsCode == "AUTH_DEVICE_TOKEN_MISMATCH";

    /// <summary>The command by which the backend's owner approves the request.</summary>
    public string OwnersCommand => $"openclaw devices approve {RequestId}";

    /// <summary>Reads a refusal, whatever is in it.</summary>
    /// <param name="message">A message of the backend, valid UTF-8.</param>
    public static BackendRefusal Read(ReadOnlyMemory<byte> message)
    {
        try
        {
            using var answer = JsonDocument.Parse(message, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Of(answer.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Unknown; // the latter for a lone surrogate in a name
        }
    }

    /// <summary>Reads a refusal, whatever is in it.</summary>
    /// <param name="answer">The answer.</param>
    public static BackendRefusal Of(JsonElement answer)
    {
        JsonElement? error = Object(answer, "error");
        if (error is null)
            return Unknown;
        JsonElement? details = Object(error, "details");
        string? id = Raw(details, "requestId");
        return new BackendRefusal(
            SafeText.Of(Raw(error, "code")),
            SafeText.Of(Raw(details, "code")),
            SafeText.Of(Raw(details, "reason")),
            IsRequestId(id) ? id : null,
            Retries: Is(details, "pauseReconnect", JsonValueKind.False) || Raw(details, "recommendedNextStep") == "wait_then_retry")
        {
            Message = SafeText.Of(Raw(error, "message")),
            ApprovedRoles = Texts(details, "approvedRoles"),
            ApprovedScopes = Texts(details, "approvedScopes"),
        };
    }

    /// <summary>All of it but the request's id, on one line.</summary>
    public string Describe()
    {
        string description = string.Join(' ', new[] { Code, DetailsCode, Reason }.Where(part => part is not null).Distinct());
        return description.Length > 0 ? description : "no reason";
    }

    // As clients of the protocol have it, and therefore safe in a command line.
    private static bool IsRequestId(string? text) =>
        text is { Length: > 0 and <= MaxRequestIdLength } && char.IsAsciiLetterOrDigit(text[0]) && !text.AsSpan().ContainsAnyExcept(IdCharacters);

    private static JsonElement? Object(JsonElement? element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.Object } member ? member : null;

    private static bool Is(JsonElement? element, string name, JsonValueKind kind) => Member(element, name)?.ValueKind == kind;

    private static string? Raw(JsonElement? element, string name) => Member(element, name) is { } member ? Text(member) : null;

    private static ScopeSet Texts(JsonElement? element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.Array } list ? ScopeSet.Of([.. list.EnumerateArray().Select(Text).OfType<string>()]) : ScopeSet.Empty;

    private static string? Text(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.String)
            return null;
        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // a lone surrogate
        }
    }

    private static JsonElement? Member(JsonElement? element, string name) =>
        element is { ValueKind: JsonValueKind.Object } o && o.TryGetProperty(name, out JsonElement member) ? member : null;
}
