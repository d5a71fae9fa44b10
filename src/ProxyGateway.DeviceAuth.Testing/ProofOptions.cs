using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>The parts of a proof that a device may leave out.</summary>
public sealed record ProofOptions
{
    /// <summary>The requested role; null: the route's.</summary>
    public string? Role { get; init; }

    /// <summary>The requested scopes; null: the route's.</summary>
    public ScopeSet? Scopes { get; init; }

    /// <summary>The device's description of itself; null: none.</summary>
    public ClientDescription? Client { get; init; }

    /// <summary>The token that the proof goes with (<c>ath</c>); null: none.</summary>
    public string? Token { get; init; }

    /// <summary>The secret of an invitation; null: none.</summary>
    public string? Invitation { get; init; }

    /// <summary>The proof's id; null: a new one.</summary>
    public string? Id { get; init; }
}
