using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Refuses routes whose metadata for the gate is misspelt: a route that looks gated must not run open.</summary>
/// <param name="handshakes">The names of the registered handshakes.</param>
internal sealed class DeviceAuthRouteValidator(IEnumerable<string> handshakes) : IRouteValidator
{
    private static readonly ImmutableArray<string> Keys = [DeviceAuthDefaults.HandshakeMetadata, DeviceAuthDefaults.HttpMetadata, DeviceAuthDefaults.AudienceMetadata];

    private readonly ImmutableArray<string> _handshakes = [.. handshakes, DeviceAuthDefaults.Off];
    private readonly ImmutableArray<string> _httpRequests = [.. Enum.GetNames<HttpRequests>()];

    /// <inheritdoc/>
    public ValueTask ValidateAsync(RouteConfig routeConfig, IList<Exception> errors)
    {
        ArgumentNullException.ThrowIfNull(routeConfig);
        ArgumentNullException.ThrowIfNull(errors);
        foreach ((string key, string value) in routeConfig.Metadata ?? ImmutableDictionary<string, string>.Empty)
        {
            if (!key.StartsWith(DeviceAuthDefaults.HandshakeMetadata, StringComparison.OrdinalIgnoreCase))
                continue;

            string where = $"Route '{routeConfig.RouteId}', metadata '{key}'";
            if (Find(routeConfig.Metadata!, key) is not { } known)
                errors.Add(new InvalidOperationException($"{where}: unknown key; allowed: {string.Join(", ", Keys)}."));
            else if (known == DeviceAuthDefaults.AudienceMetadata)
            {
                if (!Audience.TryParse(value, out _))
                    errors.Add(new InvalidOperationException($"{where}: found '{value}'; allowed: {Audience.Names}."));
            }
            else if (Allowed(known) is var allowed && !allowed.Contains(value))
                errors.Add(new InvalidOperationException($"{where}: found '{value}'; allowed: {string.Join(", ", allowed)}."));
        }

        return ValueTask.CompletedTask;
    }

    // Metadata from configuration files ignores case; that of other providers may not, and then the gate does not find another case.
    private static string? Find(IReadOnlyDictionary<string, string> metadata, string key) => Keys.FirstOrDefault(k => k == key
        || (string.Equals(k, key, StringComparison.OrdinalIgnoreCase)
            && metadata.ContainsKey(k)
            && !metadata.Keys.Contains(k, StringComparer.Ordinal)));

    private ImmutableArray<string> Allowed(string key) => key == DeviceAuthDefaults.HttpMetadata ? _httpRequests : _handshakes;
}
