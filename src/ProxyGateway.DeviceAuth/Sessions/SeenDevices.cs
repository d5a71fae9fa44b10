using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Which devices were seen, and which of them are due to be written: each at most once in an interval, the first time at once. Remembers
/// no more devices than it has room for. Not for two threads at a time.
/// </summary>
internal sealed class SeenDevices(int room, TimeSpan interval)
{
    private readonly Dictionary<DeviceId, Sighting> _sightings = [];

    /// <summary>How many devices it remembers.</summary>
    public int Count => _sightings.Count;

    /// <summary>A device was seen; false if there is no room to remember it.</summary>
    public bool Note(DeviceId device, DateTimeOffset now)
    {
        if (_sightings.TryGetValue(device, out Sighting sighting))
        {
            _sightings[device] = sighting with { SeenAt = now };
            return true;
        }

        if (_sightings.Count >= room)
            return false;
        _sightings.Add(device, new Sighting(now, WrittenAt: null));
        return true;
    }

    /// <summary>Takes what is due to be written, and forgets what was not seen again since it was.</summary>
    public List<SeenDevice> Take(DateTimeOffset now)
    {
        var due = new List<SeenDevice>();
        foreach ((DeviceId device, Sighting sighting) in _sightings)
        {
            if ((now - sighting.WrittenAt)?.Duration() < interval) // a clock that was set back is not waited for
                continue;
            if (sighting.SeenAt is { } seenAt)
            {
                due.Add(new SeenDevice(device, seenAt));
                _sightings[device] = new Sighting(SeenAt: null, now);
            }
            else
            {
                _sightings.Remove(device); // which a dictionary allows while it is enumerated, as it does a changed value
            }
        }

        return due;
    }

    /// <param name="SeenAt">When it was last seen; null if not since it was written.</param>
    /// <param name="WrittenAt">When it was last taken to be written; null if it was not yet.</param>
    private readonly record struct Sighting(DateTimeOffset? SeenAt, DateTimeOffset? WrittenAt);
}
