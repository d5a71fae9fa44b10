using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The gate's part of the configuration. It logs the policy at start and after each reload that changes the gate's part.</summary>
internal sealed class DeviceAuthSettings : IDeviceAuthSettings
{
    private readonly GatewayConfiguration _configuration;
    private readonly ILogger _logger;

    public DeviceAuthSettings(GatewayConfiguration configuration, ILogger<DeviceAuthSettings> logger)
    {
        _configuration = configuration;
        _logger = logger;
        configuration.Taken += (previous, next) => OnTaken(previous.Get<DeviceAuthOptions>(), next.Get<DeviceAuthOptions>());
        Describe(Current);
    }

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public DeviceAuthOptions Current => _configuration.Current.Get<DeviceAuthOptions>();

    private void OnTaken(DeviceAuthOptions previous, DeviceAuthOptions next)
    {
        if (AreAlike(previous, next)) // another section changed
            return;
        Log.Reloaded(_logger);
        Describe(next);
        foreach (Action handler in Delegate.EnumerateInvocationList(Changed))
        {
            try
            {
                handler();
            }
            catch (Exception e)
            {
                Log.ReloadFailed(_logger, e); // an application's handler; the gate's own rechecks the sessions
            }
        }
    }

    private void Describe(DeviceAuthOptions options)
    {
        foreach (string line in PolicyDescription.Lines(options.Policy))
            Log.PairingPolicy(_logger, line);
        if (options.Policy.Deviceless is { } deviceless)
            DescribeDeviceless(deviceless);
        foreach (AutoApproveRule rule in options.Policy.AutoApprove)
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

    private void DescribeDeviceless(DevicelessRule rule)
    {
        const string name = DevicelessReader.Name;
        Log.DevicelessClients(_logger, string.Join(", ", rule.Users), PolicyDescription.UpTo(rule));
        if (!OperatingSystem.IsLinux())
            Log.RuleWithUsersElsewhere(_logger, name);
        if (rule.Users.Contains(OverflowUser.Id) && OperatingSystem.IsLinux())
            Log.RuleWithOverflowUser(_logger, name, OverflowUser.Id);
    }

    // Records compare their arrays by reference.
    private static bool AreAlike(DeviceAuthOptions a, DeviceAuthOptions b) =>
        PolicyDescription.Lines(a.Policy).SequenceEqual(PolicyDescription.Lines(b.Policy), StringComparer.Ordinal)
        && a.TrustedProxies.SequenceEqual(b.TrustedProxies)
        && a.AllowedOrigins.SequenceEqual(b.AllowedOrigins, StringComparer.Ordinal)
        && a.RequestHeaders.SequenceEqual(b.RequestHeaders, StringComparer.OrdinalIgnoreCase)
        && a.SharedTokenSha256.SequenceEqual(b.SharedTokenSha256)
        && a.OpenClawBackends.Count == b.OpenClawBackends.Count
        && a.OpenClawBackends.All(backend => backend.Value == b.OpenClawBackends.GetValueOrDefault(backend.Key))
        && WithoutLists(a) == WithoutLists(b);

    // The freshness options apply from the next start on.
    private static DeviceAuthOptions WithoutLists(DeviceAuthOptions options) =>
        options with
        {
            TrustedProxies = [],
            AllowedOrigins = [],
            RequestHeaders = [],
            SharedTokenSha256 = [],
            OpenClawBackends = OpenClawBackendOptions.None,
            Policy = PairingPolicy.Default,
            Freshness = new(),
        };
}
