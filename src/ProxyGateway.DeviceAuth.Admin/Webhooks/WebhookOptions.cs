using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>A receiver of events by HTTP: section <c>Admin:Webhooks:name</c>.</summary>
public sealed record WebhookOptions
{
    /// <summary>The webhook's name, in log and metrics.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The receiver's address: https, or http on a loopback host; with no user and no fragment. It may hold a token: it is never logged.
    /// </summary>
    public required Uri Url { get; init; }

    /// <summary>The secret for signatures, 24 to 64 bytes; empty if it is in <see cref="SecretFile"/>.</summary>
    public ImmutableArray<byte> Secret { get; init; } = [];

    /// <summary>The file with the secret, which only its owner may read; null if it is configured.</summary>
    public string? SecretFile { get; init; }

    /// <summary>The kinds of events, of <see cref="Registry.Auditing.AuditKinds.All"/>; empty: all.</summary>
    public ImmutableArray<string> Events { get; init; } = [];
}
