using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Reads <c>Pairing:Deviceless</c>, the rule for clients without a device. Without that section there is none.</summary>
internal static class DevicelessReader
{
    public const string Name = nameof(PairingPolicy.Deviceless);

    public static DevicelessRule? Read(SectionReader pairing, IOperatingSystemUsers users)
    {
        SectionReader section = pairing.Section(Name);
        if (!section.Exists)
            return null;
        bool isEnabled = section.Flag("Enabled", fallback: true);
        ImmutableArray<uint>? ids = AutoApproveReader.Users(section, users);
        ImmutableDictionary<string, ScopeSet>? upTo = section.ScopesByRole(nameof(DevicelessRule.UpTo));
        ImmutableSortedSet<Audience> audiences = section.Audiences(nameof(DevicelessRule.Audiences)) ?? [Audience.Default];
        if (!isEnabled)
            return null;
        Require(section, nameof(DevicelessRule.Users), "it names the operating-system users whose processes need no device");
        Require(section, nameof(DevicelessRule.UpTo), "it says which roles they may have, with which scopes");
        return new DevicelessRule { Users = ids ?? [], UpTo = upTo ?? ImmutableDictionary<string, ScopeSet>.Empty, Audiences = audiences };
    }

    private static void Require(SectionReader section, string name, string meaning)
    {
        if (!section.Has(name))
            section.Errors.Add(section.PathOf(name), $"is missing; {meaning}.");
    }
}
