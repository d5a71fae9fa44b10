using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>
/// The headers that a client may not send on any route: the gate's own, and those in which the transforms of any route tell a backend of the device. A backend that
/// believes <c>X-Forwarded-User</c> on one route believes it on its others, ungated ones included.
/// </summary>
/// <param name="routes">The routes in force.</param>
internal sealed class ClaimedHeaders(Func<IEnumerable<RouteConfig>> routes) : IConfigChangeListener
{
    private readonly Lock _lock = new();
    private volatile FrozenSet<string> _names = IdentityHeaders.All;

    /// <summary>Removes a client's copies, in every spelling.</summary>
    /// <param name="headers">The client's headers.</param>
    /// <param name="route">The route of the request.</param>
    public void Remove(IHeaderDictionary headers, RouteConfig route)
    {
        FrozenSet<string> names = _names;
        string? proof = IdentityHeaders.ProofHeaderOf(route);
        List<string>? removed = null;
        foreach ((string name, _) in headers)
        {
            if (names.Contains(name) || (proof is not null && HeaderSpelling.Lax.Equals(name, proof)))
                (removed ??= []).Add(name);
        }

        foreach (string name in removed ?? [])
            headers.Remove(name);
    }

    /// <summary>Adds those of a route, before it is served.</summary>
    public void Add(RouteConfig route)
    {
        lock (_lock)
        {
            _names = With(_names, route);
        }
    }

    /// <summary>From now on routes that are no longer in force do not count.</summary>
    public void ConfigurationApplied(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
        FrozenSet<string> names = routes().Aggregate(IdentityHeaders.All, With);
        lock (_lock)
        {
            _names = names;
        }
    }

    public void ConfigurationLoadingFailed(IProxyConfigProvider configProvider, Exception exception)
    {
    }

    public void ConfigurationLoaded(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
    }

    public void ConfigurationApplyingFailed(IReadOnlyList<IProxyConfig> proxyConfigs, Exception exception)
    {
    }

    private static FrozenSet<string> With(FrozenSet<string> names, RouteConfig route) =>
        names.Concat(BackendHeaderReader.Read(route.Transforms).Where(IsClaimed).Select(h => h.Name)).ToFrozenSet(HeaderSpelling.Lax);

    // A secret is compared, and an assertion verified. On other routes clients may have credentials of their own, in Authorization above all.
    private static bool IsClaimed(BackendHeader header) => header switch
    {
        BackendHeader.OfDevice => true,
        BackendHeader.OfAssertion => !header.Name.Equals("Authorization", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
