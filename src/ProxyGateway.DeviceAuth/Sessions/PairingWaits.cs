using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The clients that wait on their connections for the decision about their requests. They are strangers, so they are bounded: in number in all, for
/// each device and for each client's blocks of addresses; and in time.
/// </summary>
/// <param name="registry">Where a request is read again.</param>
/// <param name="settings">The settings in force. A change of them ends every wait: what the client asked is decided anew.</param>
/// <param name="time">The clock.</param>
/// <param name="mostHandshakes">An upper bound on handshakes besides the configured one; null: there is none.</param>
internal sealed class PairingWaits(DeviceRegistry registry, IDeviceAuthSettings settings, TimeProvider time, Func<int>? mostHandshakes = null)
{
    /// <summary>How many connections of one device may wait.</summary>
    public const int MostPerDevice = 4;

    /// <summary>How many wait in all, as a part of the handshakes that may be under way.</summary>
    public const int PartOfHandshakes = 4;

    /// <summary>How long a client waits at most: as long as a request can be renewed.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Soonest = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<DeviceId, List<PairingWait>> _byDevice = [];
    private readonly Dictionary<string, int> _byClient = [];
    private readonly Lock _lock = new();
    private int _all;

    /// <summary>How many clients wait.</summary>
    public int Count => Volatile.Read(ref _all);

    /// <summary>How many may wait.</summary>
    public int MostNow => Math.Min(settings.Current.Limits.Handshakes, mostHandshakes?.Invoke() ?? int.MaxValue) / PartOfHandshakes;

    /// <summary>Takes a place. Null if there is none: then the client is refused as if it could not wait.</summary>
    /// <param name="claim">The verified claim.</param>
    /// <param name="request">The request that waits for an operator; it is written already.</param>
    /// <param name="client">The client.</param>
    /// <param name="route">The route by which it came.</param>
    public PairingWait? TryEnter(DeviceClaim claim, RequestId request, Client client, RouteModel? route)
    {
        DeviceAuthLimits limits = settings.Current.Limits;
        int mostInAll = MostNow;
        lock (_lock)
        {
            List<PairingWait> ofDevice = _byDevice.GetValueOrDefault(claim.Device) ?? [];
            if (_all >= mostInAll
                || ofDevice.Count >= MostPerDevice
                || client.Keys.Any(key => _byClient.GetValueOrDefault(key.Name) >= key.Budget(limits.HandshakesPerAddress)))
            {
                return null;
            }

            var wait = new PairingWait(this, claim, request, client, route);
            ofDevice.Add(wait);
            _byDevice[claim.Device] = ofDevice;
            foreach (ClientKey key in client.Keys)
                _byClient[key.Name] = _byClient.GetValueOrDefault(key.Name) + 1;
            _all++;
            return wait;
        }
    }

    /// <summary>
    /// Reads the device's record now, after each announcement, and when the request's time is over, until the wait has ended. Only what is read here
    /// decides: what others read may be from before the request.
    /// </summary>
    public async Task WatchAsync(PairingWait wait)
    {
        long start = time.GetTimestamp();
        try
        {
            while (wait.Closing is null && Longest - time.GetElapsedTime(start) is { Ticks: > 0 } left)
            {
                Task news = wait.NextNews(); // of changes during the reading too
                TimeSpan next = await ReadAsync(wait);
                next = next < Soonest ? Soonest : next;
                await news.WaitAsync(next < left ? next : left, time, wait.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            wait.End(Closing.TryAgainLater); // the request may still be open, and the client may wait again
        }
    }

    /// <summary>The devices of clients that wait.</summary>
    public DeviceId[] Devices()
    {
        lock (_lock)
        {
            return [.. _byDevice.Keys];
        }
    }

    /// <summary>Whether a client of the device waits that has not seen this version of its record.</summary>
    public bool NeedsRecheck(DeviceId device, string? version) => Of(device).Any(wait => wait.Version != version);

    /// <summary>The device's record has this version now.</summary>
    public void Recheck(DeviceId device, string? version)
    {
        foreach (PairingWait wait in Of(device).Where(wait => wait.Version != version))
            wait.Notify();
    }

    /// <summary>Ends the waits of a device, or of all, without a decision.</summary>
    public void End(DeviceId? device, Closing closing) => End(wait => device is null || wait.Claim.Device == device, closing);

    /// <summary>Ends the waits for which this holds, without a decision.</summary>
    public void End(Func<PairingWait, bool> which, Closing closing)
    {
        PairingWait[] ended;
        lock (_lock)
        {
            ended = [.. _byDevice.Values.SelectMany(waits => waits).Where(which)];
        }

        foreach (PairingWait wait in ended)
            wait.End(closing);
    }

    internal void Leave(PairingWait wait)
    {
        lock (_lock)
        {
            if (!_byDevice.TryGetValue(wait.Claim.Device, out List<PairingWait>? ofDevice) || !ofDevice.Remove(wait))
                return; // it has left already
            if (ofDevice.Count == 0)
                _byDevice.Remove(wait.Claim.Device);
            foreach (ClientKey key in wait.Client.Keys)
            {
                if (--_byClient[key.Name] == 0)
                    _byClient.Remove(key.Name);
            }

            _all--;
        }
    }

    private async ValueTask<TimeSpan> ReadAsync(PairingWait wait)
    {
        try
        {
            (DeviceRecord? record, DateTimeOffset now) = await registry.ReadAsync(wait.Claim.Device, settings.Current.PairingRules, wait.Over);
            return wait.Check(record, now, settings.Current.Policy);
        }
        catch (OperationCanceledException)
        {
            return TimeSpan.Zero;
        }
        catch (Exception e) when (e is RegistryUnavailableException or UnreadableDocumentException)
        {
            return RetryAfter; // or earlier, at the next announcement
        }
    }

    private PairingWait[] Of(DeviceId device)
    {
        lock (_lock)
        {
            return _byDevice.TryGetValue(device, out List<PairingWait>? waits) ? [.. waits] : [];
        }
    }
}
