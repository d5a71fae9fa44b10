using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating.Importing;

/// <summary>
/// The paired devices of an OpenClaw gateway: rows of its <c>devices/paired.json</c>, or of its list of devices. The import takes what that
/// gateway honours when a device connects: a role that it was approved for, with scopes that are both approved and in the role's token.
/// </summary>
internal static class OpenClawState
{
    private static readonly string[] KnownRoles = ["operator", "node"];

    /// <summary>Reads a row.</summary>
    /// <param name="number">Its place in the file.</param>
    /// <param name="key">The row's key in the file, by which that gateway finds devices; null in a list.</param>
    /// <param name="row">The row.</param>
    public static ImportRow Read(int number, string? key, JsonElement row)
    {
        if (row.ValueKind != JsonValueKind.Object)
            return ImportRow.Skipped(number, id: null, "it is not an object");
        string? given = key ?? row.Text("deviceId");
        DeviceId? shown = DeviceId.TryParse(given, out DeviceId parsed) ? parsed : null;
        if (!ImportRow.TryReadKey(row.Text("publicKey"), out DeviceId id, out string publicKey))
            return ImportRow.Skipped(number, shown, "publicKey is not an Ed25519 key");
        if (given is null)
            return ImportRow.Skipped(number, id, "it has no id");
        if (given.Trim() != id.ToString() || (row.Member("deviceId") is not null && row.Text("deviceId")?.Trim() != id.ToString()))
            return ImportRow.Skipped(number, shown, "its id is not that of publicKey");
        if (row.RepeatsMembers())
            return ImportRow.Skipped(number, id, "a member is there twice");
        try
        {
            return Read(number, id, publicKey, row);
        }
        catch (UnreadableRowException e)
        {
            return ImportRow.Skipped(number, id, e.Message);
        }
    }

    private static ImportRow Read(int number, DeviceId id, string publicKey, JsonElement row)
    {
        var notes = new List<string>();
        IReadOnlyList<string> roles = Roles(row);
        IReadOnlyList<string>? approved = Approved(row);
        SortedDictionary<string, Token> tokens = Tokens(row);
        notes.AddRange(tokens.Keys.Except(roles).Select(role => $"{role}: has a token there, but was not approved"));

        var grants = new SortedDictionary<string, ImportGrantBody>(StringComparer.Ordinal);
        foreach (string role in roles)
        {
            Token? token = tokens.GetValueOrDefault(role);
            if (token is { Revoked: true })
                notes.Add($"{role}: its token was revoked there");
            else
                grants.Add(role, new ImportGrantBody { Scopes = Scopes(role, roles, approved, token?.Scopes)! });
        }

        if (grants.Count == 0 && tokens.Values.Any(t => t.Revoked))
            return ImportRow.Skipped(number, id, "its token was revoked there");

        string[] left = [.. (approved ?? []).Except(grants.Values.SelectMany(g => g.Scopes ?? ScopeSet.Empty))];
        if (left.Length > 0)
            notes.Add($"{string.Join(' ', left)}: approved there, but not of a role that it holds, or not in that role's token");
        return new ImportRow(
            number,
            id,
            new ImportDeviceBody
            {
                Id = id.ToString(),
                PublicKey = publicKey,
                Grants = grants,
                Legacy = grants.Count == 0,
                Label = row.Words("operatorLabel")!,
                Client = new ClientDescription(row.Words("clientId"), row.Words("displayName"), row.Words("platform"), row.Words("clientMode")),
            },
            Problem: null,
            notes);
    }

    // Beside a list, the single role is the last that the device connected with, and does not count there either.
    private static IReadOnlyList<string> Roles(JsonElement row) =>
        row.Names("roles") ?? (row.Member("role") is { } role && RowReading.Name(role, "role") is { } name ? [name] : []);

    /// <summary>The scopes of the whole device; null if none are recorded.</summary>
    private static IReadOnlyList<string>? Approved(JsonElement row) => (row.Names("scopes"), row.Names("approvedScopes")) switch
    {
        ({ } scopes, { } approved) => Both("operator", scopes, approved),
        var (scopes, approved) => scopes ?? approved,
    };

    private static ScopeSet? Scopes(
        string role, IReadOnlyList<string> roles, IReadOnlyList<string>? approved, IReadOnlyList<string>? ofToken)
    {
        string[] ofRole = [.. (approved ?? []).Where(s => IsOf(role, s) || (ofToken?.Contains(s) == true && !IsOfAnother(role, roles, s)))];
        if (ofToken is not null)
            return Both(role, ofRole, [.. ofToken.Where(s => !IsOfAnother(role, roles, s))]);
        return ofRole.Length > 0 ? ScopeSet.Of(ofRole) : null;
    }

    private static bool IsOf(string role, string scope) => scope.StartsWith(role + ".", StringComparison.Ordinal);

    // That gateway writes the scopes of the whole device into the token of a role that was approved without any.
    private static bool IsOfAnother(string role, IReadOnlyList<string> roles, string scope) =>
        !IsOf(role, scope) && roles.Concat(KnownRoles).Any(other => IsOf(other, scope));

    private static ScopeSet Both(string role, IReadOnlyList<string> one, IReadOnlyList<string> other)
    {
        return ScopeSet.Of([.. Within(one, other), .. Within(other, one)]);

        IEnumerable<string> Within(IReadOnlyList<string> some, IReadOnlyList<string> wider) =>
            some.Where(s => ScopeImplications.Default.Covers(role, ScopeSet.Of(wider), ScopeSet.Of(s)));
    }

    /// <summary>
    /// Roles and scopes of the tokens, by role; the tokens themselves are not read. Lists of devices have them as a list.
    /// </summary>
    private static SortedDictionary<string, Token> Tokens(JsonElement row)
    {
        var tokens = new SortedDictionary<string, Token>(StringComparer.Ordinal);
        switch (row.Member("tokens"))
        {
            case null:
                break;
            case { ValueKind: JsonValueKind.Object } byRole:
                foreach (JsonProperty token in byRole.EnumerateObject().Where(t => t.Value.ValueKind != JsonValueKind.Null))
                    Add(token.Name, token.Value);
                break;
            case { ValueKind: JsonValueKind.Array } list:
                foreach (JsonElement token in list.EnumerateArray())
                    Add(token.ValueKind == JsonValueKind.Object ? token.Text("role") : null, token);
                break;
            default:
                throw new UnreadableRowException("tokens are neither an object nor a list");
        }

        return tokens;

        void Add(string? role, JsonElement token)
        {
            if (token.ValueKind != JsonValueKind.Object || !ScopeSet.IsValidName(role) || (token.Member("role") is not null && token.Text("role") != role)
                || !tokens.TryAdd(role!, new Token(token.Names("scopes"), IsRevoked(token))))
            {
                throw new UnreadableRowException("tokens hold what is no role's token");
            }
        }
    }

    // Like that gateway: any time but 0.
    private static bool IsRevoked(JsonElement token) =>
        token.Member("revokedAtMs") is { } at && at.ValueKind != JsonValueKind.False && !(at.ValueKind == JsonValueKind.Number && at.GetDouble() == 0);

    private sealed record Token(IReadOnlyList<string>? Scopes, bool Revoked);
}
