using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>An answer to a request that is not forwarded.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">What programs decide by.</param>
/// <param name="Title">What it is.</param>
/// <param name="Detail">What to do, for people: hosts of agents print it as it stands.</param>
/// <param name="Closing">How a browser's WebSocket is closed instead: its page could not read the answer.</param>
internal sealed record ProofAnswer(int Status, string Code, string Title, string Detail, Closing Closing)
{
    /// <summary>The parameters of <c>WWW-Authenticate</c> behind the scheme; null for an answer without.</summary>
    public string? Challenge { get; init; }

    /// <summary>The header member or claim that does not hold; null if it is not about one.</summary>
    public string? Claim { get; init; }

    /// <summary>What the claim <c>htu</c> must be; null if it is not about that.</summary>
    public string? ExpectedHtu { get; init; }

    /// <summary>How far the client's clock is ahead of the gateway's, in seconds; null if it is unknown.</summary>
    public double? ClockOffset { get; init; }

    /// <summary>The id of the pairing request; null if there is none.</summary>
    public string? RequestId { get; init; }

    /// <summary>Why the claim is not covered; null if it is not about that.</summary>
    public string? Reason { get; init; }

    /// <summary>The device's id; null if nothing is proved.</summary>
    public string? DeviceId { get; init; }

    /// <summary>Whether the same may succeed later without a person's doing on this side; null if the client has to do something first.</summary>
    public bool? IsRetryable { get; init; }

    /// <summary>After how many seconds to come again; null if it makes no sense by itself.</summary>
    public int? RetryAfter { get; init; }
}
