using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The place of a client that waits on its connection for the decision about its request, and how its wait ends. It admits nobody: after an approval the
/// client has to connect again.
/// </summary>
internal sealed class PairingWait : IDisposable
{
    private readonly CancellationTokenSource _over = new();
    private readonly Lock _lock = new();
    private readonly PairingWaits _waits;
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PairingWait(PairingWaits waits, DeviceClaim claim, RequestId request, Client client, RouteModel? route)
    {
        _waits = waits;
        (Claim, Request, Client, Route) = (claim, request, client, route);
        Over = _over.Token;
    }

    /// <summary>The verified claim.</summary>
    public DeviceClaim Claim { get; }

    /// <summary>The request that waits for an operator.</summary>
    public RequestId Request { get; }

    /// <summary>The client, for the bounds.</summary>
    public Client Client { get; }

    /// <summary>The route by which it came; null if there is none.</summary>
    public RouteModel? Route { get; }

    /// <summary>The version of the device's record that was read last; null before the first.</summary>
    public string? Version { get; private set; }

    /// <summary>What became of the request; null while it is open, and if the wait ended for another reason.</summary>
    public PairingResolution? Resolution { get; private set; }

    /// <summary>How the wait has ended; null while it has not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>Cancelled when the wait has ended.</summary>
    public CancellationToken Over { get; }

    /// <summary>Completes when the device's record may have changed after this call.</summary>
    public Task NextNews()
    {
        lock (_lock)
        {
            if (_news.Task.IsCompleted)
                _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _news.Task;
        }
    }

    /// <summary>The device's record may have changed.</summary>
    public void Notify()
    {
        lock (_lock)
        {
            _news.TrySetResult();
        }
    }

    /// <summary>Ends the wait if the request is resolved.</summary>
    /// <param name="record">The device's record, read after the request was written; null if there is none.</param>
    /// <param name="now">The store's time when it was read.</param>
    /// <param name="policy">The policy in force.</param>
    /// <returns>How long the request is still open.</returns>
    public TimeSpan Check(DeviceRecord? record, DateTimeOffset now, PairingPolicy policy)
    {
        record = record?.AsOf(now);
        PairingRequest? asked = record?.FindRequest(Request)?.AsOf(now);
        Version = record?.Version;
        if (policy.Admits(record, Claim))
            Resolve(PairingResolution.Approved);
        else if (asked?.Status != PairingRequestStatus.Open)
            Resolve(asked switch
            {
                { Status: PairingRequestStatus.Approved } => PairingResolution.Approved,
                { Status: PairingRequestStatus.Rejected } or { Status: PairingRequestStatus.Expired, ResolvedBy: not null } => PairingResolution.Rejected,
                { Status: PairingRequestStatus.Expired } => PairingResolution.Expired,
                _ => PairingResolution.Superseded,
            });
        return asked is null ? TimeSpan.Zero : asked.ExpiresAt - now;
    }

    /// <summary>Ends the wait without a decision; the first end counts.</summary>
    public void End(Closing closing) => End(closing, resolution: null);

    /// <summary>Gives the place back.</summary>
    public void Dispose()
    {
        End(Closing.TryAgainLater);
        _waits.Leave(this);
        _over.Dispose();
    }

    private void Resolve(PairingResolution resolution) => End(Closing.PairingResolved(resolution.ToWireName()), resolution);

    private void End(Closing closing, PairingResolution? resolution)
    {
        lock (_lock)
        {
            if (Closing is not null)
                return;
            (Closing, Resolution) = (closing, resolution);
        }

        try
        {
            _over.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The client has just left by itself.
        }
    }
}
