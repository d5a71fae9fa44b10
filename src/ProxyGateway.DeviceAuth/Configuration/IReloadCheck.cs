using Microsoft.Extensions.Configuration;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Says whether the whole configuration of an application is in order. Where there is one, a reload is taken by all sections or by none: else
/// half of a change would be in force, such as a route without the policy that was to go with it.
/// </summary>
public interface IReloadCheck
{
    /// <summary>Whether every section but one is valid. What is wrong with a section is said by whoever follows it.</summary>
    /// <param name="configuration">The whole configuration as it is now.</param>
    /// <param name="except">The section that is not looked at.</param>
    bool IsValid(IConfiguration configuration, string except);
}
