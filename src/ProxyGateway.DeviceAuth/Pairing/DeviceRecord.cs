using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>All that the registry stores of one device. Immutable: a change makes a new record.</summary>
public sealed record DeviceRecord : StoredObject
{
    /// <summary>The device.</summary>
    public required DeviceId Id { get; init; }

    /// <summary>The raw public key as base64url without padding.</summary>
    public required string PublicKey { get; init; }

    /// <summary>
    /// A stamp that is fresh and unique at every change of substance; last-seen times and renewed expiries do not change it.
    /// </summary>
    public string Version { get; init; } = "";

    /// <summary>When the record was first made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>
    /// The time of the device's last restriction; if there was none, a time before any could be. It never goes back while the record
    /// exists, so a document with an earlier time is an earlier one. Null in documents of older versions.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? TakenAt { get; init; }

    /// <summary>
    /// When the device last had a session, to about a minute. Not a part of the document: it is stored beside it, while anything is
    /// approved.
    /// </summary>
    [JsonIgnore]
    public DateTimeOffset? LastSeenAt { get; init; }

    /// <summary>The device's description of itself from its last request or approval.</summary>
    public ClientDescription Client { get; init; } = new();

    /// <summary>The operators' label; null if there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Label { get; init; }

    /// <summary>Refuses the device, whatever its grants; null if it is not blocked.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Block? Block { get; init; }

    /// <summary>The approved grants: role in an audience -> grant.</summary>
    public ImmutableSortedDictionary<GrantKey, Grant> Grants { get; init; } = ImmutableSortedDictionary<GrantKey, Grant>.Empty;

    /// <summary>
    /// Paired by an older gateway that stored no roles: the device counts as approved in the audience <c>default</c>, but for no role in particular.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Legacy { get; init; }

    /// <summary>The operators' refusals, which no rule overrides.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RefusalMarks? Refusals { get; init; }

    /// <summary>The open pairing requests, and recently resolved ones; oldest first.</summary>
    public ImmutableArray<PairingRequest> Requests { get; init; } = [];

    /// <summary>Whether anything at all is approved for the device, in any audience.</summary>
    [JsonIgnore]
    public bool IsPaired => Legacy || !Grants.IsEmpty;

    /// <summary>Whether the document must be of the format that has audiences, since a gateway that knows none would take one for another.</summary>
    [JsonIgnore]
    internal bool NamesAudiences => Grants.Keys.Any(k => !k.Audience.IsDefault) || Requests.Any(r => !r.Audience.IsDefault) || Refusals?.NamesAudiences == true;

    /// <summary>Whether the device is in the list of devices: something is approved for it, or it is blocked.</summary>
    [JsonIgnore]
    public bool IsListed => IsPaired || Block is not null;

    /// <summary>Whether the device is paired, and no operator has approved any of its roles.</summary>
    [JsonIgnore]
    public bool IsByRulesAlone => !Legacy && !Grants.IsEmpty && Grants.Values.All(g => g.RoleRule is not null);

    /// <summary>Whether anything is approved for the device in this audience.</summary>
    public bool IsPairedFor(Audience audience)
    {
        if (audience.IsDefault && Legacy)
            return true;
        foreach ((GrantKey key, _) in Grants)
        {
            if (key.Audience == audience)
                return true;
        }

        return false;
    }

    /// <summary>The stored scopes of the role in this audience; none if it has no grant.</summary>
    public ScopeSet ScopesOf(GrantKey key) => Grants.TryGetValue(key, out Grant? grant) ? grant.Scopes ?? ScopeSet.Empty : ScopeSet.Empty;

    /// <summary>
    /// The record at this time. A grant that has ended is removed and marked like an operator's refusal: an operator who set an end did not
    /// want a rule to renew the grant.
    /// </summary>
    public DeviceRecord AsOf(DateTimeOffset now)
    {
        DeviceRecord record = this;
        foreach ((GrantKey key, Grant grant) in Grants)
        {
            if (grant.Until <= now)
                record = record with { Grants = record.Grants.Remove(key), Refusals = RefusalMarks.Mark(record.Refusals, key, grant.Until.Value) };
        }

        return record;
    }

    /// <summary>The request with this id, or null.</summary>
    public PairingRequest? FindRequest(RequestId id) => Requests.FirstOrDefault(r => r.Id == id);
}
