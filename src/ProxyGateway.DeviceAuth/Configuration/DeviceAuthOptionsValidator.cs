using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Finds all errors of options, whether they were read or set in code. It does not repeat an error that the reader has noted for a key.
/// </summary>
/// <param name="handshakes">The names of the registered handshakes.</param>
/// <param name="errors">The list of errors, by configuration keys.</param>
internal sealed class DeviceAuthOptionsValidator(ImmutableArray<string> handshakes, ConfigurationErrors errors)
{
    private const string Section = DeviceAuthOptions.SectionName;
    private const string Pairing = Section + ":Pairing";
    private const int MaxHeaderLength = 128;
    private static readonly SearchValues<char> HeaderCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    private readonly ImmutableHashSet<string> _complainedOf = errors.Keys.ToImmutableHashSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Options that were set in code, as a part of the whole configuration.</summary>
    /// <param name="options">The options.</param>
    /// <param name="handshakes">The names of the registered handshakes.</param>
    public static ConfigurationPart Part(DeviceAuthOptions options, IEnumerable<string> handshakes)
    {
        ImmutableArray<string> names = [.. handshakes];
        return ConfigurationPart.Of(Section, (_, errors) =>
        {
            new DeviceAuthOptionsValidator(names, errors).Validate(options);
            return options;
        });
    }

    /// <summary>Notes every error of the options.</summary>
    public void Validate(DeviceAuthOptions options)
    {
        if (!handshakes.Contains(options.Handshake))
            Report(Section, nameof(options.Handshake), options.Handshake, string.Join(", ", handshakes));
        Check(Section, nameof(options.HandshakeTimeout), options.HandshakeTimeout, DeviceAuthRanges.HandshakeTimeout);
        Check(Section, nameof(options.MaxHandshakeBytes), options.MaxHandshakeBytes, DeviceAuthRanges.MaxHandshakeBytes);
        Check(Section, nameof(options.SignatureSkew), options.SignatureSkew, DeviceAuthRanges.SignatureSkew);
        Check(Section, nameof(options.HttpRequests), options.HttpRequests);
        Items(Section, nameof(options.TrustedProxies), options.TrustedProxies);
        CheckOrigins(nameof(options.AllowedOrigins), options.AllowedOrigins);
        CheckPublicOrigins(options);
        CheckHeaders(options);
        if (Items(Section, "SharedToken", options.SharedTokenSha256).Length is not (0 or SHA256.HashSizeInBytes))
            // the value is left out, since it may be the token
            Report($"{Section}:SharedToken:Sha256", $"is no SHA-256; allowed: {SHA256.HashSizeInBytes} bytes.");
        else if (options.SharedTokenSha256.AsSpan().SequenceEqual(SHA256.HashData([])))
            Report($"{Section}:SharedToken:Sha256", "is that of an empty text, which is no secret. Was the variable set whose text was hashed?");
        CheckBackends(options);
        Check(Section, nameof(options.DrainTime), options.DrainTime, DeviceAuthRanges.DrainTime);
        CheckLimits(options.Limits);
        CheckPairing(options);
        CheckFreshness(options.Freshness);
    }

    private void CheckOrigins(string name, ImmutableArray<string> origins)
    {
        foreach (string origin in Items(Section, name, origins))
        {
            if (!OriginNames.TryParse(origin, out string? exact))
                Report(Section, name, origin, OriginNames.Form);
            else if (exact != origin)
                Report(Section, name, origin, $"origins as browsers send them: {exact}");
        }
    }

    private void CheckPublicOrigins(DeviceAuthOptions options)
    {
        CheckOrigins(nameof(options.PublicOrigins), options.PublicOrigins);
        foreach (string origin in options.PublicOrigins.IsDefault ? [] : options.PublicOrigins)
        {
            if (OriginNames.TryParse(origin, out string? exact)
                && !exact.StartsWith("https://", StringComparison.Ordinal) && !exact.StartsWith("http://", StringComparison.Ordinal))
            {
                Report(Section, nameof(options.PublicOrigins), origin, "origins of http and https, also for WebSockets: proofs name no other");
            }
        }
    }

    private void CheckHeaders(DeviceAuthOptions options)
    {
        foreach (string name in Items(Section, nameof(options.RequestHeaders), options.RequestHeaders))
        {
            if (name.Equals("Sec-WebSocket-Extensions", StringComparison.OrdinalIgnoreCase))
                Report(Section, nameof(options.RequestHeaders), name, "any header but this: compressed frames cannot be checked");
            else if (name.Length is 0 or > MaxHeaderLength || name.AsSpan().ContainsAnyExcept(HeaderCharacters))
                Report(Section, nameof(options.RequestHeaders), name, $"names of headers, each 1 to {MaxHeaderLength} of A-Z a-z 0-9 . _ -, with no *");
        }
    }

    private void CheckBackends(DeviceAuthOptions options)
    {
        foreach ((string cluster, OpenClawBackendOptions backend) in options.OpenClawBackends)
        {
            string path = OpenClawBackendReader.PathOf(cluster);
            if (backend is { Token: null, TokenFile: null })
                Report(PathOf(path, nameof(backend.TokenFile)), "is missing; it is a file with the shared token of the OpenClaw gateway, which only its owner can read.");
            else if (backend is { Token: not null, TokenFile: not null })
                Report(PathOf(path, nameof(backend.Token)), $"is given beside {nameof(backend.TokenFile)}; allowed: one of them.");
            if (backend.Token is { } token && !OpenClawBackendReader.IsToken(token))
                Report(PathOf(path, nameof(backend.Token)), $"is no token; allowed: {OpenClawBackendReader.Tokens}."); // not the value
            if (backend.TokenFile is { } file && string.IsNullOrWhiteSpace(file))
                Report(PathOf(path, nameof(backend.TokenFile)), "is blank; allowed: the path of a file.");
        }
    }

    private void CheckLimits(DeviceAuthLimits limits)
    {
        const string section = Section + ":" + nameof(DeviceAuthOptions.Limits);
        Check(section, nameof(limits.Connections), limits.Connections ?? 1, DeviceAuthRanges.Count);
        Check(section, nameof(limits.ConnectionsPerAddress), limits.ConnectionsPerAddress ?? 1, DeviceAuthRanges.Count);
        Check(section, nameof(limits.HandshakesPerAddress), limits.HandshakesPerAddress, DeviceAuthRanges.Count);
        Check(section, nameof(limits.HandshakesPerSecondPerAddress), limits.HandshakesPerSecondPerAddress, DeviceAuthRanges.Count);
        Check(section, nameof(limits.FailuresPerAddress), limits.FailuresPerAddress, DeviceAuthRanges.Count);
        Check(section, nameof(limits.HandshakesPerDestination), limits.HandshakesPerDestination, DeviceAuthRanges.Count);
        Check(section, nameof(limits.Handshakes), limits.Handshakes, DeviceAuthRanges.Count);
        Check(section, nameof(limits.SessionsPerDevice), limits.SessionsPerDevice, DeviceAuthRanges.Count);
        Check(section, nameof(limits.PendingRequestsPerAddress), limits.PendingRequestsPerAddress, DeviceAuthRanges.Count);
        Check(section, nameof(limits.PendingRequestsPerSubnet), limits.PendingRequestsPerSubnet, DeviceAuthRanges.Count);
    }

    private void CheckPairing(DeviceAuthOptions options)
    {
        Check(Pairing, nameof(options.RequestLifetime), options.RequestLifetime, DeviceAuthRanges.RequestLifetime);
        Check(Pairing, nameof(options.MaxPendingRequests), options.MaxPendingRequests, DeviceAuthRanges.Count);
        Check(Pairing, nameof(options.ForgetRemovedAfter), options.ForgetRemovedAfter, DeviceAuthRanges.ForgetRemovedAfter);
        Check(Pairing, nameof(options.ForgetIdleAfter), options.ForgetIdleAfter, DeviceAuthRanges.ForgetIdleAfter);
        if (options.ForgetRemovedAfter < options.RequestLifetime)
        {
            Report(
                Pairing,
                nameof(options.ForgetRemovedAfter),
                options.ForgetRemovedAfter.ToString("c"),
                $"at least {Pairing}:{nameof(options.RequestLifetime)}, which is {options.RequestLifetime:c}");
        }

        PairingPolicy policy = options.Policy;
        Check(Pairing, nameof(policy.LegacyDevices), policy.LegacyDevices);
        Check(Pairing, nameof(policy.MaxDevicesByRules), policy.MaxDevicesByRules, DeviceAuthRanges.Count);
        CheckImplications(policy.Implications);
        ImmutableArray<AutoApproveRule> rules = Items(Pairing, nameof(policy.AutoApprove), policy.AutoApprove);
        foreach (AutoApproveRule rule in rules)
            CheckRule(rule);
        if (policy.Deviceless is { } deviceless)
            CheckDeviceless(deviceless, options);
        foreach (var same in rules.GroupBy(r => r.Name, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
            Report(PathOf(Pairing, nameof(policy.AutoApprove)), $"has {same.Count()} rules of the name {same.Key}; allowed: one of a name.");
    }

    private void CheckImplications(ScopeImplications implications)
    {
        foreach ((string role, ImmutableDictionary<string, ImmutableArray<string>> scopes) in implications.ByRole)
        {
            string path = PathOf(Section + ":ScopeImplications", role);
            if (!ScopeSet.IsValidName(role))
                Report(path, $"is no role; allowed: {SectionReader.ScopeNames}.");
            foreach ((string scope, ImmutableArray<string> covered) in scopes)
            {
                if (!ScopeSet.IsValidName(scope))
                    Report(PathOf(path, scope), $"is no scope; allowed: {SectionReader.ScopeNames}.");
                foreach (string pattern in Items(path, scope, covered).Where(p => !ScopeSet.IsValidName(p.EndsWith(".*", StringComparison.Ordinal) ? p.AsSpan(0, p.Length - 2) : p)))
                    Report(path, scope, pattern, $"scopes, or families of them as in operator.*, of {SectionReader.ScopeNames}");
            }
        }
    }

    private void CheckRule(AutoApproveRule rule)
    {
        string path = PathOf(Pairing + ":" + nameof(PairingPolicy.AutoApprove), rule.Name);
        if (!SectionReader.IsProperName(rule.Name))
            Report(path, SectionReader.NoProperName);

        ImmutableArray<IPNetwork> networks = Items(path, "From", rule.FromNetworks);
        if (!rule.FromLoopback && !rule.FromAny && networks.IsEmpty)
            Report(PathOf(path, "From"), "is empty, so the rule could never match.");
        foreach (IPNetwork network in networks.Where(NetworkNames.LiesWithinLoopback))
            Report(path, "From", network.ToString(), AutoApproveReader.Places);

        ImmutableArray<PairingReason> reasons = Items(path, nameof(rule.Reasons), rule.Reasons);
        if (reasons.IsEmpty)
            Report(PathOf(path, nameof(rule.Reasons)), "is empty, so the rule could never match.");
        foreach (PairingReason reason in reasons)
            Check(path, nameof(rule.Reasons), reason);

        if (rule.Users is { } users)
        {
            Items(path, nameof(rule.Users), users);
            if (!rule.FromLoopback || rule.FromAny || !networks.IsEmpty)
                Report(PathOf(path, nameof(rule.Users)), "users can be told on loopback only; allowed: with From [\"loopback\"], and other places in a rule of their own.");
        }

        CheckCeiling(PathOf(path, nameof(rule.UpTo)), rule.UpTo);
        CheckAudiences(PathOf(path, nameof(rule.Audiences)), rule.Audiences);
        Check(path, nameof(rule.MaxDevicesPerHour), rule.MaxDevicesPerHour, DeviceAuthRanges.Count);
    }

    private void CheckDeviceless(DevicelessRule rule, DeviceAuthOptions options)
    {
        string path = PathOf(Pairing, DevicelessReader.Name);
        Items(path, nameof(rule.Users), rule.Users);
        CheckCeiling(PathOf(path, nameof(rule.UpTo)), rule.UpTo);
        CheckAudiences(PathOf(path, nameof(rule.Audiences)), rule.Audiences);
        if (options.SharedTokenSha256 is { IsDefaultOrEmpty: true } && !IsComplainedOf($"{Section}:SharedToken"))
            Report(path, $"needs {Section}:SharedToken:Sha256: who has no device must show the shared token.");
    }

    private void CheckCeiling(string path, ImmutableDictionary<string, ScopeSet>? upTo)
    {
        if (upTo is { IsEmpty: true })
            Report(path, "is empty, so the rule could never match.");
        foreach ((string role, ScopeSet scopes) in upTo ?? ImmutableDictionary<string, ScopeSet>.Empty)
        {
            if (!ScopeSet.IsValidName(role))
                Report(PathOf(path, role), $"is no role; allowed: {SectionReader.ScopeNames}.");
            foreach (string scope in scopes.Where(s => !ScopeSet.IsValidName(s)))
                Report(path, role, scope, $"scopes, each {SectionReader.ScopeNames}");
        }
    }

    private void CheckAudiences(string path, ImmutableSortedSet<Audience>? audiences)
    {
        if (audiences is { IsEmpty: true })
            Report(path, "is empty, so the rule could never match.");
    }

    private void CheckFreshness(FreshnessOptions freshness)
    {
        Check(FreshnessReader.SectionName, nameof(freshness.SweepInterval), freshness.SweepInterval, DeviceAuthRanges.SweepInterval);
        Check(FreshnessReader.SectionName, nameof(freshness.StalenessLimit), freshness.StalenessLimit, DeviceAuthRanges.StalenessLimit);
        if (freshness.StalenessLimit < DeviceAuthRanges.ShortestStalenessLimit)
        {
            Report(
                FreshnessReader.SectionName,
                nameof(freshness.StalenessLimit),
                freshness.StalenessLimit.ToString("c"),
                $"at least {DeviceAuthRanges.ShortestStalenessLimit:c}: signs of life come about once a second, and may take that long");
        }
    }

    private void Check(string section, string name, int value, NumberRange range)
    {
        if (!range.Contains(value))
            Report(section, name, value.ToString(CultureInfo.InvariantCulture), range.ToString());
    }

    private void Check(string section, string name, TimeSpan value, SpanRange range)
    {
        if (!range.Contains(value))
            Report(section, name, value.ToString("c"), range.ToString());
    }

    private void Check<T>(string section, string name, T value)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
            Report(section, name, value.ToString(), string.Join(", ", Enum.GetNames<T>()));
    }

    // An array that was never set throws at every access.
    private ImmutableArray<T> Items<T>(string section, string name, ImmutableArray<T> items)
    {
        if (!items.IsDefault)
            return items;
        Report(PathOf(section, name), "is not set; allowed: a list, which may be empty.");
        return [];
    }

    private void Report(string section, string name, string? value, string allowed)
    {
        if (!IsComplainedOf(PathOf(section, name)))
            errors.AddValue(PathOf(section, name), value, allowed);
    }

    private void Report(string key, string problem)
    {
        if (!IsComplainedOf(key))
            errors.Add(key, problem);
    }

    private bool IsComplainedOf(string key) =>
        _complainedOf.Contains(key) || _complainedOf.Any(k => k.StartsWith(key + ":", StringComparison.OrdinalIgnoreCase));

    private static string PathOf(string section, string name) => ConfigurationPath.Combine(section, name);
}
