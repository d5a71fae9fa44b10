using System.Collections.Immutable;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating.Importing;

/// <summary>Devices of another ProxyGateway: the output of <c>devices export</c> or of <c>devices list --json</c>.</summary>
internal static class ExportFile
{
    // An unknown member of a row may restrict the rest, as a block does; so such a row is skipped.
    private static readonly ImmutableHashSet<string> Members =
        ["id", "publicKey", "client", "label", "legacy", "block", "grants", "createdAt", "lastSeenAt", "version", "algorithm", "jkt"];

    private static readonly ImmutableHashSet<string> GrantMembers = ["scopes", "until", "approvedAt", "approvedBy", "rule", "parts"];

    private static readonly ImmutableHashSet<string> PartMembers = ["rules", "role", "approvedAt", "approvedBy"];

    /// <summary>Reads a row.</summary>
    /// <param name="number">Its place in the file.</param>
    /// <param name="row">The row.</param>
    /// <param name="now">The time; grants that have ended by then are left out.</param>
    public static ImportRow Read(int number, JsonElement row, DateTimeOffset now)
    {
        if (row.ValueKind != JsonValueKind.Object)
            return ImportRow.Skipped(number, id: null, "it is not an object");
        DeviceId? shown = DeviceId.TryParse(row.Text("id"), out DeviceId parsed) ? parsed : null;
        if (!ImportRow.TryReadKey(row.Text("publicKey"), out DeviceId id, out string publicKey))
            return ImportRow.Skipped(number, shown, row.Member("block") is null ? "publicKey is not an Ed25519 or P-256 key" : "it is blocked there");
        if (row.Member("id") is not null && row.Text("id") != id.ToString())
            return ImportRow.Skipped(number, shown, "its id is not that of publicKey");
        if (row.Member("block") is not null)
            return ImportRow.Skipped(number, id, "it is blocked there");
        if (row.RepeatsMembers())
            return ImportRow.Skipped(number, id, "a member is there twice");
        if (row.EnumerateObject().Any(m => !Members.Contains(m.Name)))
            return ImportRow.Skipped(number, id, "it has a member that is not known here");
        try
        {
            return Read(number, id, publicKey, row, now);
        }
        catch (UnreadableRowException e)
        {
            return ImportRow.Skipped(number, id, e.Message);
        }
    }

    private static ImportRow Read(int number, DeviceId id, string publicKey, JsonElement row, DateTimeOffset now)
    {
        SortedDictionary<string, ImportGrantBody> grants = Grants(row);
        string[] ended = [.. grants.Where(g => g.Value.Until <= now).Select(g => g.Key)];
        string[] notes = [.. ended.Select(role => $"{role}: has ended")];
        foreach (string role in ended)
            grants.Remove(role);
        bool legacy = row.Member("legacy") is { ValueKind: JsonValueKind.True } && !grants.Keys.Concat(ended).Any(IsOfDefault);
        if (grants.Count == 0 && !legacy)
            return ImportRow.Skipped(number, id, ended.Length > 0 ? "all that it held has ended" : "nothing is granted to it", notes);

        JsonElement? client = row.Member("client") is { ValueKind: JsonValueKind.Object } said ? said : null;
        var device = new ImportDeviceBody
        {
            Id = id.ToString(),
            PublicKey = publicKey,
            Grants = grants,
            Legacy = legacy,
            Label = row.Words("label")!,
            Client = client is { } c ? new ClientDescription(c.Words("id"), c.Words("displayName"), c.Words("platform"), c.Words("mode")) : new ClientDescription(),
        };
        return new ImportRow(number, id, device, Problem: null, notes);
    }

    private static bool IsOfDefault(string key) => GrantKey.TryParse(key, out GrantKey read) && read.Audience.IsDefault;

    private static SortedDictionary<string, ImportGrantBody> Grants(JsonElement row)
    {
        var grants = new SortedDictionary<string, ImportGrantBody>(StringComparer.Ordinal);
        if (row.Member("grants") is not { } given)
            return grants;
        if (given.ValueKind != JsonValueKind.Object)
            throw new UnreadableRowException("grants are not an object");
        foreach (JsonProperty grant in given.EnumerateObject())
        {
            if (grant.Value.ValueKind != JsonValueKind.Object || !GrantKey.TryParse(grant.Name, out _))
                throw new UnreadableRowException("grants are not roles with scopes");
            if (grant.Value.EnumerateObject().Any(m => !GrantMembers.Contains(m.Name)))
                throw new UnreadableRowException("a grant has a member that is not known here");
            grants.Add(grant.Name, new ImportGrantBody
            {
                Scopes = grant.Value.Names("scopes") is { } scopes ? ScopeSet.Of(scopes) : null!,
                Until = Until(grant.Value)!,
                Parts = Parts(grant.Value)!,
            });
        }

        return grants;
    }

    /// <summary>The rules' parts of a grant: all of it if it names a rule and no parts.</summary>
    private static ImportPartsBody? Parts(JsonElement grant)
    {
        if (grant.Member("parts") is not { } parts)
            return grant.Member("rule") is { } only ? Whole(RuleName(only), grant) : null;
        if (parts.ValueKind != JsonValueKind.Object || parts.EnumerateObject().Any(m => !PartMembers.Contains(m.Name))
            || parts.Member("rules") is not { ValueKind: JsonValueKind.Object } rules)
            throw new UnreadableRowException("the parts of a grant are not rules with scopes");
        return new ImportPartsBody
        {
            Rules = rules.EnumerateObject().ToDictionary(r => r.Name, r => ScopeSet.Of(rules.Names(r.Name) ?? []), StringComparer.Ordinal),
            Role = parts.Member("role") is { } role ? RuleName(role) : null!,
        };
    }

    private static ImportPartsBody Whole(string rule, JsonElement grant) => new()
    {
        Rules = grant.Names("scopes") is { Count: > 0 } scopes
            ? ImmutableDictionary<string, ScopeSet>.Empty.Add(rule, ScopeSet.Of(scopes))
            : ImmutableDictionary<string, ScopeSet>.Empty,
        Role = rule,
    };

    private static string RuleName(JsonElement value) =>
        RowReading.Name(value, "rule") ?? throw new UnreadableRowException("a rule has no name");

    private static DateTimeOffset? Until(JsonElement grant)
    {
        if (grant.Member("until") is not { } until)
            return null;
        return until.ValueKind == JsonValueKind.String && until.TryGetDateTimeOffset(out DateTimeOffset time)
            ? time
            : throw new UnreadableRowException("until is not a time");
    }
}
