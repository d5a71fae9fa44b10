using System.Buffers;
using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Reads <see cref="DeviceAuthOptions"/> from the section <c>DeviceAuth</c>.</summary>
internal static class DeviceAuthOptionsReader
{
    internal const int MaxCount = 1_000_000;
    private const int MaxHeaderLength = 128;
    private static readonly SearchValues<char> HeaderCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>The section as a part of the whole configuration.</summary>
    /// <param name="users">Who resolves the names of users in rules.</param>
    /// <param name="handshakes">The names of the handshakes there are.</param>
    internal static ConfigurationPart Part(IOperatingSystemUsers users, IEnumerable<string> handshakes)
    {
        ImmutableArray<string> names = [.. handshakes];
        return ConfigurationPart.Of(DeviceAuthOptions.SectionName, (configuration, errors) => Read(configuration, users, names, errors));
    }

    /// <summary>Reads the section and notes everything that is wrong with it; what is returned then must not be used.</summary>
    /// <param name="configuration">The whole configuration, so that its layers can be told apart.</param>
    /// <param name="users">Who resolves the names of users in rules.</param>
    /// <param name="handshakes">The names of the handshakes there are.</param>
    /// <param name="errors">Where errors go.</param>
    public static DeviceAuthOptions Read(IConfiguration configuration, IOperatingSystemUsers users, ImmutableArray<string> handshakes, ConfigurationErrors errors)
    {
        var layers = ConfigurationLayers.Of(configuration);
        var section = new SectionReader(layers, DeviceAuthOptions.SectionName, errors);
        SectionReader pairing = section.Section("Pairing");
        var defaults = new DeviceAuthOptions();
        var options = new DeviceAuthOptions
        {
            Handshake = Handshake(section, defaults.Handshake, handshakes),
            HandshakeTimeout = section.Span(nameof(defaults.HandshakeTimeout), defaults.HandshakeTimeout, TimeSpan.FromMinutes(10)),
            MaxHandshakeBytes = section.Number(nameof(defaults.MaxHandshakeBytes), defaults.MaxHandshakeBytes, 1024, 16 * 1024 * 1024),
            SignatureSkew = section.Span(nameof(defaults.SignatureSkew), defaults.SignatureSkew, TimeSpan.FromHours(1)),
            HttpRequests = section.Choice(nameof(defaults.HttpRequests), defaults.HttpRequests),
            TrustedProxies = TrustedProxies(section),
            AllowedOrigins = AllowedOrigins(section),
            RequestHeaders = RequestHeaders(section, defaults.RequestHeaders),
            SharedTokenSha256 = SharedToken(section.Section("SharedToken")),
            DrainTime = section.SpanOrOff(nameof(defaults.DrainTime), defaults.DrainTime, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1)),
            Limits = Limits(section.Section(nameof(defaults.Limits))),
            RequestLifetime = pairing.Span(nameof(defaults.RequestLifetime), defaults.RequestLifetime, TimeSpan.FromDays(7)),
            MaxPendingRequests = pairing.Number(nameof(defaults.MaxPendingRequests), defaults.MaxPendingRequests, 1, MaxCount),
            ForgetRemovedAfter = pairing.Span(nameof(defaults.ForgetRemovedAfter), defaults.ForgetRemovedAfter, TimeSpan.FromDays(36500)),
            ForgetIdleAfter = pairing.SpanOrOff(nameof(defaults.ForgetIdleAfter), TimeSpan.Zero, TimeSpan.FromHours(1), TimeSpan.FromDays(36500)),
            Policy = new PairingPolicy
            {
                LegacyDevices = pairing.Choice(nameof(PairingPolicy.LegacyDevices), PairingPolicy.Default.LegacyDevices),
                Implications = ScopeImplicationsReader.Read(section.Section("ScopeImplications")),
                AutoApprove = AutoApproveReader.Read(pairing, users),
                MaxDevicesByRules = pairing.Number(nameof(PairingPolicy.MaxDevicesByRules), PairingPolicy.Default.MaxDevicesByRules, 1, MaxCount),
            },
            Freshness = FreshnessReader.Read(layers, errors),
        };
        if (options.ForgetRemovedAfter < options.RequestLifetime)
        {
            errors.AddValue(
                pairing.PathOf(nameof(defaults.ForgetRemovedAfter)),
                options.ForgetRemovedAfter.ToString("c"),
                $"at least {pairing.PathOf(nameof(defaults.RequestLifetime))}, which is {options.RequestLifetime:c}");
        }

        section.ReportUnknownKeys();
        return options;
    }

    private static string Handshake(SectionReader section, string fallback, ImmutableArray<string> handshakes)
    {
        string handshake = section.Text(nameof(DeviceAuthOptions.Handshake), fallback);
        if (!handshakes.Contains(handshake))
            section.Errors.AddValue(section.PathOf(nameof(DeviceAuthOptions.Handshake)), handshake, string.Join(", ", handshakes));
        return handshake;
    }

    // A section without it is one whose only key is misspelt, and nobody would be asked for the token.
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

        int Count(string name, int fallback) => section.Number(name, fallback, 1, MaxCount);
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

    private static ImmutableArray<string> AllowedOrigins(SectionReader section)
    {
        const string name = nameof(DeviceAuthOptions.AllowedOrigins);
        const string allowed = "exact origins, as in https://example.org or http://localhost:3000, with no path and no *";
        var origins = ImmutableArray.CreateBuilder<string>();
        foreach (string text in section.List(name) ?? [])
        {
            if (OriginNames.TryParse(text, out string? origin))
                origins.Add(origin);
            else
                section.Errors.AddValue(section.PathOf(name), text, allowed);
        }

        return origins.ToImmutable();
    }

    private static ImmutableArray<string> RequestHeaders(SectionReader section, ImmutableArray<string> fallback)
    {
        const string name = nameof(DeviceAuthOptions.RequestHeaders);
        if (section.List(name) is not { } names)
            return fallback;
        foreach (string text in names)
        {
            if (text.Equals("Sec-WebSocket-Extensions", StringComparison.OrdinalIgnoreCase))
                section.Errors.AddValue(section.PathOf(name), text, "any header but this: compressed frames cannot be checked");
            else if (text.Length is 0 or > MaxHeaderLength || text.AsSpan().ContainsAnyExcept(HeaderCharacters))
                section.Errors.AddValue(section.PathOf(name), text, $"names of headers, each 1 to {MaxHeaderLength} of A-Z a-z 0-9 . _ -, with no *");
        }

        return [.. names.Distinct(StringComparer.OrdinalIgnoreCase)];
    }
}
