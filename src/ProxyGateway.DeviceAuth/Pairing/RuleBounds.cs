namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// Bounds what rules may approve for one device. Past them no rule matches, and an operator decides, who may approve more. Sizes are bytes
/// in the document's JSON: each scope with its quotes and a comma.
/// </summary>
internal static class RuleBounds
{
    /// <summary>The bytes of all scopes of one claim.</summary>
    public const int ClaimBytes = 2 * 1024;

    /// <summary>How many scopes a grant may have.</summary>
    public const int Scopes = 128;

    /// <summary>The bytes of all scopes of a grant.</summary>
    public const int GrantBytes = 4 * 1024;

    /// <summary>How many roles a device may have, in all audiences together.</summary>
    public const int Roles = 16;

    /// <summary>The bytes of all roles of a device and their scopes.</summary>
    public const int RecordBytes = 16 * 1024;

    /// <summary>Whether a rule may approve the claim: the device's record stays within the bounds.</summary>
    internal static bool Allow(DeviceRecord? record, DeviceClaim claim)
    {
        if (claim.Scopes.Bytes > ClaimBytes)
            return false;
        if (record is null)
            return true;
        ScopeSet held = record.ScopesOf(claim.Key);
        if (held.Count > Scopes) // avoids a union that would be too large anyway
            return false;
        ScopeSet next = held.Union(claim.Scopes);
        bool isNewRole = !record.Grants.ContainsKey(claim.Key);
        return next.Count <= Scopes
            && next.Bytes <= GrantBytes
            && record.Grants.Count + (isNewRole ? 1 : 0) <= Roles
            && SizeOf(record) - held.Bytes + next.Bytes + (isNewRole ? SizeOf(claim.Key) : 0) <= RecordBytes;
    }

    /// <summary>The bytes of the device's roles and their scopes.</summary>
    internal static int SizeOf(DeviceRecord record) => record.Grants.Sum(g => SizeOf(g.Key) + (g.Value.Scopes?.Bytes ?? 0));

    /// <summary>The bytes of a role in an audience.</summary>
    internal static int SizeOf(GrantKey key) => key.Length + 3;

    /// <summary>The bytes of a scope.</summary>
    internal static int SizeOf(string name) => name.Length + 3; // names are ASCII without characters that JSON escapes
}
