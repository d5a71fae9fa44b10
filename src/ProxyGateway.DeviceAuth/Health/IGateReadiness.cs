namespace ProxyGateway.DeviceAuth.Health;

/// <summary>
/// Whether this gate can admit devices now: it is not stopping, the registry answers, and its changes are heard of. Anybody may ask as often
/// as they like: the registry is asked once a second at most.
/// </summary>
public interface IGateReadiness
{
    /// <summary>
    /// What the last check that reached the registry found that keeps some devices out and not all: that a newer gateway wrote what is on record of them.
    /// One sentence that anybody may read; null if nothing.
    /// </summary>
    string? Notice { get; }

    /// <summary>Why it cannot; null if it can.</summary>
    /// <param name="cancellationToken">The caller stops waiting.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    ValueTask<NotReady?> CheckAsync(CancellationToken cancellationToken);
}
