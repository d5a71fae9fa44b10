namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// How much rules may approve for one device. Past it no rule matches, and an operator decides, who may approve more than that. Sizes are in
/// bytes as the JSON of a document has them: each scope with its quotes and a comma.
/// </summary>
public static class RuleBounds
{
    /// <summary>The scopes of one claim together.</summary>
    public const int ClaimBytes = 2 * 1024;

    /// <summary>How many scopes a grant may have.</summary>
    public const int Scopes = 128;

    /// <summary>The scopes of a grant together.</summary>
    public const int GrantBytes = 4 * 1024;

    /// <summary>How many roles a device may hold.</summary>
    public const int Roles = 16;

    /// <summary>The roles of a device and their scopes together.</summary>
    public const int RecordBytes = 16 * 1024;

    /// <summary>Whether a rule may approve the claim: what the device would hold then is within the bounds.</summary>
    internal static bool Allow(DeviceRecord? record, DeviceClaim claim)
    {
        if (claim.Scopes.Bytes > ClaimBytes)
            return false;
        if (record is null)
            return true;
        ScopeSet held = record.ScopesOf(claim.Role);
        if (held.Count > Scopes) // do not build a union of what is too much already
            return false;
        ScopeSet next = held.Union(claim.Scopes);
        bool isNewRole = !record.Grants.ContainsKey(claim.Role);
        return next.Count <= Scopes
            && next.Bytes <= GrantBytes
            && record.Grants.Count + (isNewRole ? 1 : 0) <= Roles
            && SizeOf(record) - held.Bytes + next.Bytes + (isNewRole ? SizeOf(claim.Role) : 0) <= RecordBytes;
    }

    /// <summary>The bytes of the roles that the device holds and of their scopes.</summary>
    internal static int SizeOf(DeviceRecord record) => record.Grants.Sum(g => SizeOf(g.Key) + (g.Value.Scopes?.Bytes ?? 0));

    /// <summary>The bytes of a role or a scope.</summary>
    internal static int SizeOf(string name) => name.Length + 3; // names are ASCII without anything that JSON escapes
}
