using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Refuses routes whose metadata for the gate is misspelt: a route that looks gated must not run open.</summary>
/// <param name="handshakes">The names of the registered handshakes.</param>
/// <param name="ofOthers">The handshake of routes that name none; null if each route names its own.</param>
internal sealed class DeviceAuthRouteValidator(IEnumerable<string> handshakes, Func<string>? ofOthers = null) : IRouteValidator
{
    private static readonly ImmutableArray<string> Keys =
    [
        DeviceAuthDefaults.HandshakeMetadata, DeviceAuthDefaults.HttpMetadata, DeviceAuthDefaults.AudienceMetadata,
        DeviceAuthDefaults.RoleMetadata, DeviceAuthDefaults.ScopesMetadata, DeviceAuthDefaults.ProofHeaderMetadata, DeviceAuthDefaults.SessionTokensMetadata,
    ];

    private static readonly ImmutableArray<string> OfProof =
        [DeviceAuthDefaults.RoleMetadata, DeviceAuthDefaults.ScopesMetadata, DeviceAuthDefaults.ProofHeaderMetadata, DeviceAuthDefaults.SessionTokensMetadata];

    private static readonly ImmutableArray<string> ProofHeaders = ["Device-Proof", "DPoP"];

    private static readonly ImmutableArray<string> SessionTokens = ["Allow", "Deny"];

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
            else if (!IsAllowed(known, value, out string allowed))
                errors.Add(new InvalidOperationException($"{where}: found '{value}'; allowed: {allowed}."));
            else if (OfProof.Contains(known) && (HandshakeOf(routeConfig.Metadata!) ?? ofOthers?.Invoke()) is { } handshake and (DeviceAuthDefaults.ConnectFrame or DeviceAuthDefaults.Off))
                errors.Add(new InvalidOperationException($"{where}: means nothing on a route with '{handshake}', and would restrict nobody; only '{DeviceAuthDefaults.Proof}' reads it."));
        }

        foreach (string error in McpRouteCheck.ErrorsOf(routeConfig))
            errors.Add(new InvalidOperationException(error));
        return ValueTask.CompletedTask;
    }

    // Metadata from configuration files ignores case; that of other providers may not, and then the gate does not find another case.
    private static string? Find(IReadOnlyDictionary<string, string> metadata, string key) => Keys.FirstOrDefault(k => k == key
        || (string.Equals(k, key, StringComparison.OrdinalIgnoreCase)
            && metadata.ContainsKey(k)
            && !metadata.Keys.Contains(k, StringComparer.Ordinal)));

    private static string? HandshakeOf(IReadOnlyDictionary<string, string> metadata) =>
        metadata.FirstOrDefault(m => string.Equals(m.Key, DeviceAuthDefaults.HandshakeMetadata, StringComparison.OrdinalIgnoreCase)).Value;

    private bool IsAllowed(string key, string value, out string allowed)
    {
        switch (key)
        {
            case DeviceAuthDefaults.AudienceMetadata:
                allowed = Audience.Names;
                return Audience.TryParse(value, out _);
            case DeviceAuthDefaults.RoleMetadata:
                allowed = "1 to 128 of A-Z a-z 0-9 . _ : -";
                return ScopeSet.IsValidName(value);
            case DeviceAuthDefaults.ScopesMetadata:
                allowed = ScopeText.Form;
                return ScopeText.TryRead(value, out ScopeSet? scopes) && scopes is { Count: > 0 };
            default:
                ImmutableArray<string> names = key switch
                {
                    DeviceAuthDefaults.HttpMetadata => _httpRequests,
                    DeviceAuthDefaults.ProofHeaderMetadata => ProofHeaders,
                    DeviceAuthDefaults.SessionTokensMetadata => SessionTokens,
                    _ => _handshakes,
                };
                allowed = string.Join(", ", names);
                return names.Contains(value);
        }
    }
}
