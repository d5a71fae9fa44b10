using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// A device's request that waits for an operator. Its role and scopes never change: a different claim makes another request.
/// </summary>
public sealed record PairingRequest : StoredObject
{
    /// <summary>The request's id.</summary>
    public required RequestId Id { get; init; }

    /// <summary>The device that asks.</summary>
    public required DeviceId DeviceId { get; init; }

    /// <summary>The audience of the route that it asked at; absent in the document for <c>default</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Audience Audience { get; init; }

    /// <summary>The requested role.</summary>
    public required string Role { get; init; }

    /// <summary>The requested scopes.</summary>
    public required ScopeSet Scopes { get; init; }

    /// <summary>Why the claim was not covered when the request was made.</summary>
    public required PairingReason Reason { get; init; }

    /// <summary>
    /// Whether the device was paired when it asked, and only rules had paired it: where a rule pairs new devices, an attacker can make up
    /// any number. False in requests of older versions. Later approvals do not change it, so that the request leaves the sets that it was
    /// entered in.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ByRulesAlone { get; init; }

    /// <summary>The granted scopes, once approved; fewer than requested if the operator approved a part.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScopeSet? GrantedScopes { get; init; }

    /// <summary>The device's description of itself.</summary>
    public required ClientDescription Client { get; init; }

    /// <summary>The client's address; absent if it is unknown.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Address { get; init; }

    /// <summary>The locality of the connection that asked.</summary>
    public required LocalityKind Locality { get; init; }

    /// <summary>The state of the request.</summary>
    public PairingRequestStatus Status { get; init; }

    /// <summary>The operator who decided, if one did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ResolvedBy { get; init; }

    /// <summary>When it was resolved.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? ResolvedAt { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it expires without a decision; moved while the device keeps asking.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>The requested role in its audience.</summary>
    [JsonIgnore]
    public GrantKey Key => new(Audience, Role);

    /// <summary>Whether an operator can still decide it at this time.</summary>
    public bool IsOpen(DateTimeOffset now) => Status == PairingRequestStatus.Open && now < ExpiresAt;

    /// <summary>Whether this is a request for the same role in the same audience, and the same set of scopes.</summary>
    public bool Asks(GrantKey key, ScopeSet scopes) => Key == key && Scopes.Equals(scopes);

    /// <summary>The request at this time: past its time it counts as expired, whether or not that was written.</summary>
    public PairingRequest AsOf(DateTimeOffset now) => Status == PairingRequestStatus.Open && now >= ExpiresAt
        ? this with { Status = PairingRequestStatus.Expired, ResolvedAt = ExpiresAt }
        : this;
}
