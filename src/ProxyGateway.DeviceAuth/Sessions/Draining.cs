using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The graceful end of the gateway. While it still listens, new upgrades get 503 and the gateway is not ready; running handshakes end, and
/// live sessions are closed with 1012 one after the other, spread over <see cref="DeviceAuthOptions.DrainTime"/>, so that their devices do
/// not all reconnect at once. Then the server stops and aborts the remaining connections.
/// </summary>
internal sealed partial class Draining : IHostedLifecycleService, IDisposable
{
    private readonly SessionTable _sessions;
    private readonly IDeviceAuthSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _begun = new();
    private readonly CancellationTokenRegistration _stopping;

    public Draining(
        SessionTable sessions,
        IDeviceAuthSettings settings,
        TimeProvider time,
        IHostApplicationLifetime lifetime,
        ILogger<Draining> logger)
    {
        (_sessions, _settings, _time, _logger) = (sessions, settings, time, logger);
        _stopping = lifetime.ApplicationStopping.Register(_begun.Cancel); // a signal arrives here before the host calls StoppingAsync
        Token = _begun.Token;
    }

    /// <summary>Whether the gateway is stopping.</summary>
    public bool IsUnderWay => Token.IsCancellationRequested;

    /// <summary>Cancelled when the gateway stops: silent handshakes end.</summary>
    public CancellationToken Token { get; }

    /// <summary>Closes sessions while the server still listens.</summary>
    /// <param name="cancellationToken">Cancelled when the host no longer waits: the remaining sessions are closed at once.</param>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _begun.CancelAsync();
        TimeSpan drainTime = _settings.Current.DrainTime;
        Session[] sessions = _sessions.List(device: null, after: 0, int.MaxValue);
        if (sessions.Length > 0)
            LogDraining(sessions.Length, drainTime);

        long start = _time.GetTimestamp();
        for (int i = 0; i < sessions.Length && !cancellationToken.IsCancellationRequested; i++)
        {
            TimeSpan wait = (drainTime * ((double)i / sessions.Length)) - _time.GetElapsedTime(start);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            sessions[i].Close(Closing.Restarting);
        }

        _sessions.CloseAll(Closing.Restarting); // those admitted in the meantime, and those for which there was no time
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopping.Dispose();
        _begun.Dispose();
    }

    [LoggerMessage(1310, LogLevel.Information, "The gateway is stopping: {Sessions} sessions are closed within {DrainTime} (DeviceAuth:DrainTime).")]
    private partial void LogDraining(object sessions, object drainTime);
}

/// <summary>Makes the host wait as long as draining takes, and some time for the rest; never less than configured.</summary>
internal sealed class DrainingPatience(IDeviceAuthSettings settings) : IPostConfigureOptions<HostOptions>
{
    private static readonly TimeSpan Afterwards = TimeSpan.FromSeconds(15);

    public void PostConfigure(string? name, HostOptions options)
    {
        TimeSpan needed = settings.Current.DrainTime + Afterwards;
        if (options.ShutdownTimeout < needed)
            options.ShutdownTimeout = needed;
    }
}
