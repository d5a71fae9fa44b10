using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A key that is or was valid. The features of a request have the key that authenticated it.</summary>
internal sealed class AdminKey(AdminKeyOptions options) : IDisposable
{
    private readonly CancellationTokenSource _withdrawn = new();

    public AdminKeyOptions Options { get; } = options;

    /// <summary>
    /// Cancelled once the key, its role or its ceiling is no longer valid; for work that lasts longer than a request should.
    /// </summary>
    public CancellationToken Withdrawn => _withdrawn.Token;

    /// <summary>Whether the options are those of this key.</summary>
    public bool Is(AdminKeyOptions other) =>
        Options.Name == other.Name
        && Options.Role == other.Role
        && Options.Sha256.AsSpan().SequenceEqual(other.Sha256.AsSpan())
        && SameCeiling(Options.UpTo, other.UpTo)
        && (Options.Audiences is { } audiences ? other.Audiences?.SetEquals(audiences) == true : other.Audiences is null);

    /// <summary>Withdraws the key. Cancellation callbacks run on another thread.</summary>
    public void Dispose() => _ = _withdrawn.CancelAsync();

    private static bool SameCeiling(ImmutableDictionary<string, ScopeSet>? one, ImmutableDictionary<string, ScopeSet>? other) =>
        one is null || other is null
            ? one is null && other is null
            : one.Count == other.Count && one.All(role => other.TryGetValue(role.Key, out ScopeSet? scopes) && scopes.Equals(role.Value));
}
