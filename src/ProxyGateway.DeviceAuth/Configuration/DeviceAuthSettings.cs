using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// The options as the configuration has them, now and after each reload. A reload is taken as a whole or, if anything is wrong with
/// it, not at all.
/// </summary>
public sealed class DeviceAuthSettings : IDeviceAuthSettings, IDisposable
{
    private readonly ILogger _logger;
    private readonly FollowedSection<Policed> _section;

    /// <summary>Reads the section <c>DeviceAuth</c> and follows its reloads.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="users">Who resolves the names of users in rules.</param>
    /// <param name="logger">Where the effective policy, and what is wrong with a reload, go.</param>
    /// <param name="others">What else must hold for a reload to be taken; null: nothing.</param>
    /// <exception cref="InvalidConfigurationException">The section is not valid.</exception>
    public DeviceAuthSettings(
        IConfiguration configuration, IOperatingSystemUsers users, ILogger<DeviceAuthSettings> logger, IReloadCheck? others = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(users);
        ArgumentNullException.ThrowIfNull(logger);
        _logger = logger;
        _section = new FollowedSection<Policed>(
            configuration,
            DeviceAuthOptions.SectionName,
            (all, errors) => new Policed(DeviceAuthOptionsReader.Read(all, users, errors)),
            Reloaded,
            others,
            logger);
        Describe(_section.Current);
    }

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public DeviceAuthOptions Current => _section.Current.Options;

    /// <inheritdoc/>
    public void Dispose() => _section.Dispose();

    private void Reloaded(Policed previous, Policed next)
    {
        if (next.SaysTheSameAs(previous)) // another section changed
            return;
        Log.Reloaded(_logger);
        Describe(next);
        Changed?.Invoke();
    }

    private void Describe(Policed section)
    {
        foreach (string line in section.PolicyLines)
            Log.PairingPolicy(_logger, line);
        foreach (AutoApproveRule rule in section.Options.Policy.AutoApprove)
        {
            if (rule.FromAny)
                Log.RuleFromAnywhere(_logger, rule.Name, "any");
            foreach (System.Net.IPNetwork network in rule.FromNetworks.Where(n => n.PrefixLength == 0))
                Log.RuleFromAnywhere(_logger, rule.Name, network.ToString());
            if (rule.Users is not null && !OperatingSystem.IsLinux())
                Log.RuleWithUsersElsewhere(_logger, rule.Name);
            if (rule.Users?.Contains(OverflowUser.Id) == true && OperatingSystem.IsLinux())
                Log.RuleWithOverflowUser(_logger, rule.Name, OverflowUser.Id);
            if (rule.FromLoopback && rule.Users is null)
                Log.RuleForAllUsers(_logger, rule.Name);
            if (PolicyDescription.Anyone(rule) is { } what)
                Log.RuleForProcesses(_logger, rule.Name, rule.Users is null ? "any local process" : "any process of these users", what);
        }
    }

    private sealed record Policed(DeviceAuthOptions Options)
    {
        public IReadOnlyList<string> PolicyLines { get; } = PolicyDescription.Lines(Options.Policy);

        public bool SaysTheSameAs(Policed other) =>
            PolicyLines.SequenceEqual(other.PolicyLines, StringComparer.Ordinal)
            && Options.TrustedProxies.SequenceEqual(other.Options.TrustedProxies)
            && Options.AllowedOrigins.SequenceEqual(other.Options.AllowedOrigins, StringComparer.Ordinal)
            && Options.RequestHeaders.SequenceEqual(other.Options.RequestHeaders, StringComparer.OrdinalIgnoreCase)
            && Options.SharedTokenSha256.SequenceEqual(other.Options.SharedTokenSha256)
            && WithoutLists == other.WithoutLists;

        // Records compare their arrays by reference.
        private DeviceAuthOptions WithoutLists => Options with { TrustedProxies = [], AllowedOrigins = [], RequestHeaders = [], SharedTokenSha256 = [], Policy = PairingPolicy.Default, Freshness = new() };
    }
}
