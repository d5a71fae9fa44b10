namespace ProxyGateway.DeviceAuth.Health;

/// <summary>
/// Whether this gate can admit devices now: it is not stopping, the registry answers, and its changes are heard of. Anybody may ask as often
/// as they like: the registry is asked once a second at most.
/// </summary>
public interface IGateReadiness
{
    /// <summary>Why it cannot; null if it can.</summary>
    /// <param name="cancellationToken">Whoever asks does not wait any longer.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    ValueTask<NotReady?> CheckAsync(CancellationToken cancellationToken);
}
