using System.Collections.Immutable;
using System.Globalization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>A pairing policy in words, for the log.</summary>
internal static class PolicyDescription
{
    /// <summary>The policy, one fact a line.</summary>
    public static IReadOnlyList<string> Lines(PairingPolicy policy)
    {
        var lines = new List<string>();
        lines.AddRange(policy.AutoApprove.Select(Line));
        lines.Add(policy.AutoApprove.IsEmpty
            ? "Nothing is approved without an operator."
            : "Everything else waits for an operator.");
        AutoApproveRule[] pairing = [.. policy.AutoApprove.Where(r => r.Reasons.Contains(PairingReason.NotPaired))];
        if (pairing.Length > 0)
        {
            string perHour = string.Join(", ", pairing.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Name} {r.MaxDevicesPerHour}")));
            lines.Add(string.Create(
                CultureInfo.InvariantCulture, $"New devices in an hour: {perHour}; rules may hold {policy.MaxDevicesByRules} devices in all. Past that an operator decides."));
        }

        if (policy.LegacyDevices == LegacyDevices.RePair)
            lines.Add("Devices imported without roles or scopes wait for an operator, whatever the rules say.");
        if (policy.Deviceless is { } deviceless)
            lines.Add(Line(deviceless));
        lines.AddRange(
            from role in policy.Implications.ByRole.OrderBy(r => r.Key, StringComparer.Ordinal)
            from scope in role.Value.OrderBy(s => s.Key, StringComparer.Ordinal)
            where !scope.Value.IsEmpty
            select $"Role {role.Key}: {scope.Key} covers {string.Join(", ", scope.Value)}.");
        return lines;
    }

    /// <summary>
    /// Which devices any process on this machine can become by the rule, since it can make any number of keys; null if none.
    /// </summary>
    public static string? Anyone(AutoApproveRule rule)
    {
        if (!(rule.FromLoopback || rule.FromAny) || !rule.Reasons.Contains(PairingReason.NotPaired))
            return null;
        return rule.UpTo is { } upTo ? $"a device with {UpTo(upTo)} and no more" : "a device of any role with any scopes, operator.admin included";
    }

    /// <summary>What clients may do that have no device.</summary>
    public static string UpTo(DevicelessRule rule) => UpTo(rule.UpTo);

    private static string Line(AutoApproveRule rule)
    {
        string line = $"Rule {rule.Name} approves {string.Join(", ", rule.Reasons.Select(r => r.ToWireName()))} from {From(rule)}";
        if (rule.Users is { } users)
            line += string.Create(CultureInfo.InvariantCulture, $", of users with the ids [{string.Join(", ", users)}]");
        if (rule.UpTo is { } upTo)
            line += $", up to {UpTo(upTo)}";
        if (rule.Audiences is { } audiences)
            line += $", in the audiences [{string.Join(", ", audiences)}]";
        return line + (rule.Browsers ? ", browsers included." : ".");
    }

    private static string Line(DevicelessRule rule) => string.Create(
        CultureInfo.InvariantCulture,
        $"Clients without a device on loopback, of users with the ids [{string.Join(", ", rule.Users)}], that show the shared token, are admitted up to {UpTo(rule.UpTo)}{In(rule.Audiences)}.");

    // Routes of the audience default alone, as where there are no audiences, need no word.
    private static string In(ImmutableSortedSet<Audience> audiences) =>
        audiences is [{ IsDefault: true }] ? "" : $", in the audiences [{string.Join(", ", audiences)}]";

    private static string From(AutoApproveRule rule)
    {
        var places = new List<string>();
        if (rule.FromAny)
            places.Add("anywhere");
        if (rule.FromLoopback)
            places.Add("loopback");
        places.AddRange(rule.FromNetworks.Select(n => n.ToString()));
        return string.Join(", ", places);
    }

    private static string UpTo(ImmutableDictionary<string, ScopeSet> upTo) =>
        string.Join("; ", upTo.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Key} [{string.Join(", ", r.Value)}]"));
}
