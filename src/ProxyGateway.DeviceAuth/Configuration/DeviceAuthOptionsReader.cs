using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Reads <see cref="DeviceAuthOptions"/> from the section <c>DeviceAuth</c>.</summary>
internal static class DeviceAuthOptionsReader
{
    /// <summary>The section as a part of the whole configuration.</summary>
    /// <param name="users">Resolves the names of users in rules.</param>
    /// <param name="handshakes">The names of the registered handshakes.</param>
    internal static ConfigurationPart Part(IOperatingSystemUsers users, IEnumerable<string> handshakes)
    {
        ImmutableArray<string> names = [.. handshakes];
        return ConfigurationPart.Of(DeviceAuthOptions.SectionName, (configuration, errors) => Read(configuration, users, names, errors));
    }

    /// <summary>Reads the section and notes every error; after errors the result must not be used.</summary>
    /// <param name="configuration">The whole configuration, with its layers.</param>
    /// <param name="users">Resolves the names of users in rules.</param>
    /// <param name="handshakes">The names of the registered handshakes.</param>
    /// <param name="errors">The list of errors.</param>
    public static DeviceAuthOptions Read(
        IConfiguration configuration, IOperatingSystemUsers users, ImmutableArray<string> handshakes, ConfigurationErrors errors)
    {
        DeviceAuthOptions options = Read(ConfigurationLayers.Of(configuration), users, errors);
        new DeviceAuthOptionsValidator(handshakes, errors).Validate(options);
        return options;
    }

    private static DeviceAuthOptions Read(ConfigurationLayers layers, IOperatingSystemUsers users, ConfigurationErrors errors)
    {
        var section = new SectionReader(layers, DeviceAuthOptions.SectionName, errors);
        SectionReader pairing = section.Section("Pairing");
        var defaults = new DeviceAuthOptions();
        var options = new DeviceAuthOptions
        {
            Handshake = section.Text(nameof(defaults.Handshake), defaults.Handshake),
            HandshakeTimeout = section.Span(nameof(defaults.HandshakeTimeout), defaults.HandshakeTimeout, DeviceAuthRanges.HandshakeTimeout),
            MaxHandshakeBytes = section.Number(nameof(defaults.MaxHandshakeBytes), defaults.MaxHandshakeBytes, DeviceAuthRanges.MaxHandshakeBytes),
            SignatureSkew = section.Span(nameof(defaults.SignatureSkew), defaults.SignatureSkew, DeviceAuthRanges.SignatureSkew),
            HttpRequests = section.Choice(nameof(defaults.HttpRequests), defaults.HttpRequests),
            TrustedProxies = TrustedProxies(section),
            AllowedOrigins = Origins(section, nameof(defaults.AllowedOrigins)),
            PublicOrigins = Origins(section, nameof(defaults.PublicOrigins)),
            RequestHeaders = section.List(nameof(defaults.RequestHeaders)) is { } headers ? [.. headers.Distinct(StringComparer.OrdinalIgnoreCase)] : defaults.RequestHeaders,
            SharedTokenSha256 = SharedToken(section.Section("SharedToken")),
            OpenClawBackends = OpenClawBackendReader.Read(section.Section("Backends")),
            DrainTime = section.Span(nameof(defaults.DrainTime), defaults.DrainTime, DeviceAuthRanges.DrainTime),
            Limits = Limits(section.Section(nameof(defaults.Limits))),
            RequestLifetime = pairing.Span(nameof(defaults.RequestLifetime), defaults.RequestLifetime, DeviceAuthRanges.RequestLifetime),
            MaxPendingRequests = pairing.Number(nameof(defaults.MaxPendingRequests), defaults.MaxPendingRequests, DeviceAuthRanges.Count),
            ForgetRemovedAfter = pairing.Span(nameof(defaults.ForgetRemovedAfter), defaults.ForgetRemovedAfter, DeviceAuthRanges.ForgetRemovedAfter),
            ForgetIdleAfter = pairing.Span(nameof(defaults.ForgetIdleAfter), TimeSpan.Zero, DeviceAuthRanges.ForgetIdleAfter),
            Policy = new PairingPolicy
            {
                LegacyDevices = pairing.Choice(nameof(PairingPolicy.LegacyDevices), PairingPolicy.Default.LegacyDevices),
                Implications = ScopeImplicationsReader.Read(section.Section("ScopeImplications")),
                AutoApprove = AutoApproveReader.Read(pairing, users),
                Deviceless = DevicelessReader.Read(pairing, users),
                MaxDevicesByRules = pairing.Number(nameof(PairingPolicy.MaxDevicesByRules), PairingPolicy.Default.MaxDevicesByRules, DeviceAuthRanges.Count),
            },
            Freshness = FreshnessReader.Read(layers, errors),
        };
        section.ReportUnknownKeys();
        return options;
    }

    // If its only key were misspelt, nobody would need the token; so a section without the key is an error.
    private static ImmutableArray<byte> SharedToken(SectionReader section) =>
        section.Exists ? section.Sha256("Sha256", "the token") : [];

    private static DeviceAuthLimits Limits(SectionReader section)
    {
        var defaults = new DeviceAuthLimits();
        return new DeviceAuthLimits
        {
            Connections = CountOrNone(nameof(defaults.Connections)),
            ConnectionsPerAddress = CountOrNone(nameof(defaults.ConnectionsPerAddress)),
            HandshakesPerAddress = Count(nameof(defaults.HandshakesPerAddress), defaults.HandshakesPerAddress),
            HandshakesPerSecondPerAddress = Count(nameof(defaults.HandshakesPerSecondPerAddress), defaults.HandshakesPerSecondPerAddress),
            FailuresPerAddress = Count(nameof(defaults.FailuresPerAddress), defaults.FailuresPerAddress),
            HandshakesPerDestination = Count(nameof(defaults.HandshakesPerDestination), defaults.HandshakesPerDestination),
            Handshakes = Count(nameof(defaults.Handshakes), defaults.Handshakes),
            SessionsPerDevice = Count(nameof(defaults.SessionsPerDevice), defaults.SessionsPerDevice),
            PendingRequestsPerAddress = Count(nameof(defaults.PendingRequestsPerAddress), defaults.PendingRequestsPerAddress),
            PendingRequestsPerSubnet = Count(nameof(defaults.PendingRequestsPerSubnet), defaults.PendingRequestsPerSubnet),
        };

        int Count(string name, int fallback) => section.Number(name, fallback, DeviceAuthRanges.Count);
        int? CountOrNone(string name) => section.Has(name) ? Count(name, 1) : null;
    }

    private static ImmutableArray<IPNetwork> TrustedProxies(SectionReader section)
    {
        const string name = nameof(DeviceAuthOptions.TrustedProxies);
        const string allowed = "addresses and networks, as in 10.0.0.5 or 10.0.0.0/8, with no bits set beneath the prefix";
        var networks = ImmutableArray.CreateBuilder<IPNetwork>();
        foreach (string text in section.List(name) ?? [])
        {
            if (NetworkNames.TryParseAddress(text, out IPNetwork network) || NetworkNames.TryParseNetwork(text, out network))
                networks.Add(network);
            else
                section.Errors.AddValue(section.PathOf(name), text, allowed);
        }

        return networks.ToImmutable();
    }

    private static ImmutableArray<string> Origins(SectionReader section, string name)
    {
        var origins = ImmutableArray.CreateBuilder<string>();
        foreach (string text in section.List(name) ?? [])
        {
            if (OriginNames.TryParse(text, out string? origin))
                origins.Add(origin);
            else
                section.Errors.AddValue(section.PathOf(name), text, OriginNames.Form);
        }

        return origins.ToImmutable();
    }
}
