using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Reads <c>Pairing:AutoApprove</c>, the rules by name. Without that section there is one rule, the built-in <c>loopback</c>; with it there
/// are the rules that it names. A rule named <c>loopback</c> takes the built-in <c>From</c> and <c>Reasons</c> if it has none, so that an
/// overlay contains only its change.
/// </summary>
internal static class AutoApproveReader
{
    private const string Loopback = "loopback";
    private const string Any = "any";
    private static readonly int DefaultMaxPerHour = PairingPolicy.Default.AutoApprove[0].MaxDevicesPerHour;
    private const string Self = "self";
    /// <summary>The allowed values of <c>From</c>, for people.</summary>
    public const string Places = $"{Loopback}, {Any}, and networks other than loopback's as in 10.0.0.0/8, with no bits set beneath the prefix";

    public static ImmutableArray<AutoApproveRule> Read(SectionReader pairing, IOperatingSystemUsers users)
    {
        const string name = nameof(PairingPolicy.AutoApprove);
        SectionReader section = pairing.Section(name);
        if (!section.Exists)
            return PairingPolicy.Default.AutoApprove;

        var rules = ImmutableArray.CreateBuilder<AutoApproveRule>();
        foreach ((string ruleName, SectionReader rule) in section.NamedSections())
        {
            if (rule.Names().Count == 0)
            {
                // {} could mean the default or, being null as well, nothing at all.
                section.Errors.Add(rule.Path, "says nothing; allowed: a rule, or { \"Enabled\": false }.");
                continue;
            }

            AutoApproveRule? builtIn = PairingPolicy.Default.AutoApprove
                .FirstOrDefault(r => string.Equals(r.Name, ruleName, StringComparison.OrdinalIgnoreCase));
            bool enabled = rule.Flag("Enabled", fallback: true);
            AutoApproveRule read = ReadRule(ruleName, rule, builtIn, users);
            if (enabled)
                rules.Add(read);
        }

        return rules.ToImmutable();
    }

    private static AutoApproveRule ReadRule(string name, SectionReader section, AutoApproveRule? builtIn, IOperatingSystemUsers users)
    {
        var rule = new AutoApproveRule
        {
            Name = builtIn?.Name ?? name,
            FromLoopback = builtIn?.FromLoopback ?? false,
            Reasons = Reasons(section, builtIn?.Reasons),
            UpTo = section.ScopesByRole(nameof(AutoApproveRule.UpTo)),
            Audiences = section.Audiences(nameof(AutoApproveRule.Audiences)),
            Users = Users(section, users),
            Browsers = section.Flag(nameof(AutoApproveRule.Browsers), fallback: false),
            MaxDevicesPerHour = section.Number(nameof(AutoApproveRule.MaxDevicesPerHour), DefaultMaxPerHour, DeviceAuthRanges.Count),
        };
        return From(section, rule, required: builtIn is null);
    }

    private static AutoApproveRule From(SectionReader section, AutoApproveRule rule, bool required)
    {
        const string name = "From";
        if (Required(section, name, required) is not { } places)
            return rule;

        var networks = ImmutableArray.CreateBuilder<IPNetwork>();
        foreach (string place in places)
        {
            if (place is Loopback or Any)
                continue;
            if (NetworkNames.TryParseNetwork(place, out IPNetwork network) && !NetworkNames.LiesWithinLoopback(network))
                networks.Add(network);
            else
                section.Errors.AddValue(section.PathOf(name), place, Places);
        }

        return rule with { FromLoopback = places.Contains(Loopback), FromAny = places.Contains(Any), FromNetworks = networks.ToImmutable() };
    }

    private static ImmutableArray<PairingReason> Reasons(SectionReader section, ImmutableArray<PairingReason>? builtIn)
    {
        const string name = nameof(AutoApproveRule.Reasons);
        if (Required(section, name, builtIn is null) is not { } names)
            return builtIn ?? [];

        var reasons = ImmutableArray.CreateBuilder<PairingReason>();
        foreach (string text in names)
        {
            if (PairingReasonNames.TryParse(text, out PairingReason reason))
                reasons.Add(reason);
            else
                section.Errors.AddValue(section.PathOf(name), text, string.Join(", ", Enum.GetValues<PairingReason>().Select(r => r.ToWireName())));
        }

        return [.. reasons.Distinct()];
    }

    /// <summary>The ids of the users that a rule names; null if it names none.</summary>
    public static ImmutableArray<uint>? Users(SectionReader section, IOperatingSystemUsers users)
    {
        const string name = nameof(AutoApproveRule.Users);
        if (section.List(name) is not { } names)
            return null;
        if (names.IsEmpty)
            section.Errors.Add(section.PathOf(name), $"is empty, so the rule could never match; allowed: users, or {Self}.");

        var ids = ImmutableArray.CreateBuilder<uint>();
        foreach (string text in names)
        {
            if (text == Self)
            {
                // Where users have no ids, no user is known, and a rule that names users matches nobody.
                if (users.CurrentId is { } self)
                    ids.Add(self);
            }
            else if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
                ids.Add(id);
            else if (text.Length > 0 && users.FindId(text) is { } found)
                ids.Add(found);
            else
                section.Errors.AddValue(section.PathOf(name), text, $"users of this machine by name or number, or {Self}");
        }

        return [.. ids.Distinct()];
    }

    // A list that a rule must have, unless there is a built-in one.
    private static ImmutableArray<string>? Required(SectionReader section, string name, bool required)
    {
        ImmutableArray<string>? list = section.List(name);
        if (list is { IsEmpty: true })
            section.Errors.Add(section.PathOf(name), "is empty, so the rule could never match; to switch a rule off, say \"Enabled\": false.");
        else if (list is null && required && !section.Has(name))
            section.Errors.Add(section.PathOf(name), "is missing; a rule says From where and for which Reasons it approves.");
        return list;
    }
}
