namespace ProxyGateway.DeviceAuth.Health;

/// <summary>
/// Whether this gate can admit devices now: it is not stopping, the registry answers, and announcements of its changes arrive. Callers may
/// ask at any rate: the registry is asked once a second at most.
/// </summary>
public interface IGateReadiness
{
    /// <summary>
    /// A sentence that anybody may read if the last check that reached the registry found that some devices are refused because a newer
    /// gateway wrote their documents; else null.
    /// </summary>
    string? Notice { get; }

    /// <summary>Why it cannot; null if it can.</summary>
    /// <param name="cancellationToken">The caller stops waiting.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    ValueTask<NotReady?> CheckAsync(CancellationToken cancellationToken);
}
