using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>An ask of one device that waits for an operator. What is asked never changes: a different ask is another request.</summary>
public sealed record PairingRequest : StoredObject
{
    /// <summary>The request's id.</summary>
    public required RequestId Id { get; init; }

    /// <summary>The device that asks.</summary>
    public required DeviceId DeviceId { get; init; }

    /// <summary>The role it asks for.</summary>
    public required string Role { get; init; }

    /// <summary>The scopes it asks for.</summary>
    public required ScopeSet Scopes { get; init; }

    /// <summary>Why the ask was not covered when it was made.</summary>
    public required PairingReason Reason { get; init; }

    /// <summary>
    /// Whether the device was paired when it asked, and only rules had paired it: where a rule pairs new devices, anybody can make up as many.
    /// False in requests of older versions. What operators approve later changes nothing in it, so that the request leaves the sets that it was entered in.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ByRulesAlone { get; init; }

    /// <summary>The scopes that were granted, once approved; fewer than asked if the operator approved a part.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScopeSet? GrantedScopes { get; init; }

    /// <summary>What the device says about itself.</summary>
    public required ClientDescription Client { get; init; }

    /// <summary>The client's address; absent if it cannot be told.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Address { get; init; }

    /// <summary>Where the ask came from.</summary>
    public required LocalityKind Locality { get; init; }

    /// <summary>Where the request stands.</summary>
    public PairingRequestStatus Status { get; init; }

    /// <summary>The operator who decided, where one did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ResolvedBy { get; init; }

    /// <summary>When it stopped being open.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? ResolvedAt { get; init; }

    /// <summary>When it was first asked.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it expires if nobody decides; moves on while the device keeps asking.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Whether an operator can still decide it at this time.</summary>
    public bool IsOpen(DateTimeOffset now) => Status == PairingRequestStatus.Open && now < ExpiresAt;

    /// <summary>Whether this is the same ask: role and set of scopes.</summary>
    public bool Asks(string role, ScopeSet scopes) => Role == role && Scopes.Equals(scopes);

    /// <summary>The request as it stands at this time: one whose time has run out is expired, whether or not anybody wrote that down.</summary>
    public PairingRequest AsOf(DateTimeOffset now) => Status == PairingRequestStatus.Open && now >= ExpiresAt
        ? this with { Status = PairingRequestStatus.Expired, ResolvedAt = ExpiresAt }
        : this;
}
