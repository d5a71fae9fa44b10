using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>
/// Has OpenClaw gateways behind the gate approve what the gate has granted: they have a pairing of their own, and ask again. Only where their token is
/// configured (<see cref="DeviceAuthOptions.OpenClawBackends"/>), and never more than the gate has granted.
/// </summary>
internal sealed class BackendPairings : IHostedService, IAsyncDisposable
{
    private readonly IDeviceAuthSettings _settings;
    private readonly Draining _draining;
    private readonly TimeProvider _time;
    private readonly string _contentRoot;
    private readonly BackendLog _log;
    private readonly CancellationTokenRegistration _onDraining;

    // One for each destination of clusters with a token. Those of a cluster that has none any more are closed.
    private readonly ConcurrentDictionary<(string Cluster, string Destination), PairingHelper> _helpers = [];

    public BackendPairings(
        IDeviceAuthSettings settings, Draining draining, TimeProvider time, PacedLogger<BackendPairings> logger, IHostEnvironment? environment = null)
    {
        (_settings, _draining, _time, _contentRoot, _log) = (settings, draining, time, environment?.ContentRootPath ?? Directory.GetCurrentDirectory(), new BackendLog(logger));
        _settings.Changed += CloseOutdated;
        _onDraining = draining.Token.UnsafeRegister(static p => ((BackendPairings)p!).CloseAll(), this);
    }

    /// <summary>Approves a pairing request of a backend, if all that it would give is granted.</summary>
    /// <param name="destination">The backend; null if it is not known.</param>
    /// <param name="device">The device.</param>
    /// <param name="readGrant">Reads what the gate grants now; throws a <see cref="BackendPairingException"/> if that is nothing.</param>
    /// <param name="requestId">The id of the request, as the backend has named it.</param>
    /// <param name="patience">How long it may take.</param>
    /// <param name="gone">Cancelled when the client is gone, or its grant.</param>
    public async Task<Approval> ApproveAsync(
        BackendDestination? destination, DeviceId device, Func<CancellationToken, ValueTask<BackendGrant>> readGrant, string requestId, TimeSpan patience,
        CancellationToken gone)
    {
        if (destination is null || OptionsOf(destination.Cluster) is null)
            return Approval.NotConfigured;
        if (_draining.IsUnderWay)
            return Approval.Failed("the gateway ends");
        if (HelperOf(destination) is not { } helper)
            return Approval.NotConfigured;

        try
        {
            await helper.ApproveAsync(destination, device, readGrant, requestId, patience, gone).WaitAsync(gone);
            return Approval.Done;
        }
        catch (BackendPairingException e) when (e.IsTakenBack || e.MustBeRemoved)
        {
            return Approval.Wider(e.Message);
        }
        catch (BackendPairingException e)
        {
            return Approval.Failed(e.Message);
        }
        catch (OperationCanceledException)
        {
            return Approval.Failed("the client has left, or its grant is gone");
        }
    }

    /// <summary>Reads the files with tokens once, so that one that is missing or that others may read is told at start.</summary>
    /// <param name="cancellationToken">Unused: the files are small.</param>
    /// <exception cref="InvalidDataException">A file holds no token, or others may read it.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (OpenClawBackendOptions options in _settings.Current.OpenClawBackends.Values)
        {
            if (options.TokenFile is { } file)
                _ = PairingHelper.TokenIn(Path.GetFullPath(file, _contentRoot));
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _settings.Changed -= CloseOutdated;
        await _onDraining.DisposeAsync();
        foreach ((string, string) key in _helpers.Keys)
        {
            if (_helpers.TryRemove(key, out PairingHelper? helper))
                await helper.DisposeAsync();
        }
    }

    private OpenClawBackendOptions? OptionsOf(string cluster) => _settings.Current.OpenClawBackends.GetValueOrDefault(cluster);

    private PairingHelper? HelperOf(BackendDestination destination)
    {
        (string, string) key = (destination.Cluster, destination.Id);
        while (OptionsOf(destination.Cluster) is { } options)
        {
            PairingHelper helper = _helpers.GetOrAdd(key, _ => new PairingHelper(options, _contentRoot, _time, _log));
            if (helper.Options == OptionsOf(destination.Cluster)) // after it was entered: a reload from now on closes it
                return helper;
            Close(key, helper);
        }

        return null;
    }

    private void CloseOutdated()
    {
        foreach (((string Cluster, string) key, PairingHelper helper) in _helpers)
        {
            if (helper.Options != OptionsOf(key.Cluster))
                Close(key, helper);
        }
    }

    private void CloseAll()
    {
        foreach (((string, string) key, PairingHelper helper) in _helpers)
            Close(key, helper);
    }

    private void Close((string, string) key, PairingHelper helper)
    {
        if (_helpers.TryRemove(KeyValuePair.Create(key, helper)))
            _ = helper.DisposeAsync().AsTask();
    }
}
