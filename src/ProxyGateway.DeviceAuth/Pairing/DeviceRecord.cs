using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Everything that is on record of one device. Immutable: a change makes another record.</summary>
public sealed record DeviceRecord : StoredObject
{
    /// <summary>The device.</summary>
    public required DeviceId Id { get; init; }

    /// <summary>The raw public key as base64url without padding.</summary>
    public required string PublicKey { get; init; }

    /// <summary>A stamp that is fresh and unique at every change of substance; last-seen times and renewed expiries do not change it.</summary>
    public string Version { get; init; } = "";

    /// <summary>When the device was first put on record.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>
    /// When something was last taken from the device; if nothing was, some time before that could be. Never goes back while the device is on record,
    /// so a document with an earlier time is an earlier one. Null in what older versions wrote.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? TakenAt { get; init; }

    /// <summary>When the device last had a session, to a minute or so. Not a part of the document: it is kept beside it, while anything is approved.</summary>
    [JsonIgnore]
    public DateTimeOffset? LastSeenAt { get; init; }

    /// <summary>What the device said about itself when it last asked for something.</summary>
    public ClientDescription Client { get; init; } = new();

    /// <summary>What operators call it; null if nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Label { get; init; }

    /// <summary>Keeps the device out, whatever its grants; null if nothing does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Block? Block { get; init; }

    /// <summary>What was approved: role -> grant.</summary>
    public ImmutableSortedDictionary<string, Grant> Grants { get; init; } = ImmutableSortedDictionary.Create<string, Grant>(StringComparer.Ordinal);

    /// <summary>Paired by an older gateway that kept no roles: the device counts as approved, but for no role in particular.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Legacy { get; init; }

    /// <summary>Where an operator said no, so that no rule says yes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RefusalMarks? Refusals { get; init; }

    /// <summary>The open pairing requests, and those resolved a short time ago; oldest first.</summary>
    public ImmutableArray<PairingRequest> Requests { get; init; } = [];

    /// <summary>Whether anything at all is approved for the device.</summary>
    [JsonIgnore]
    public bool IsPaired => Legacy || !Grants.IsEmpty;

    /// <summary>Whether the device is in the list of devices: something is approved for it, or it is blocked.</summary>
    [JsonIgnore]
    public bool IsListed => IsPaired || Block is not null;

    /// <summary>Whether the device is paired, and no operator has let it into any of its roles.</summary>
    [JsonIgnore]
    public bool IsByRulesAlone => !Legacy && !Grants.IsEmpty && Grants.Values.All(g => g.RoleRule is not null);

    /// <summary>The scopes on record for the role; none if it has no grant.</summary>
    public ScopeSet ScopesOf(string role) => Grants.TryGetValue(role, out Grant? grant) ? grant.Scopes ?? ScopeSet.Empty : ScopeSet.Empty;

    /// <summary>
    /// The record as it stands at this time. A grant that has run out is gone, and marked as an operator's no is: whoever set an end did not
    /// want a rule to go on from there.
    /// </summary>
    public DeviceRecord AsOf(DateTimeOffset now)
    {
        DeviceRecord record = this;
        foreach ((string role, Grant grant) in Grants)
        {
            if (grant.Until is { } until && until <= now)
                record = record with { Grants = record.Grants.Remove(role), Refusals = RefusalMarks.Mark(record.Refusals, role, until) };
        }

        return record;
    }

    /// <summary>The request with this id, or null.</summary>
    public PairingRequest? FindRequest(RequestId id) => Requests.FirstOrDefault(r => r.Id == id);
}
