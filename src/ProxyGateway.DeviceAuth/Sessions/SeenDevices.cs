using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Remembers which devices were seen, and which of them are due to be written: each at most once in an interval, the first time at once.
/// Bounded. Not thread-safe.
/// </summary>
internal sealed class SeenDevices(int room, TimeSpan interval)
{
    private readonly Dictionary<DeviceId, Sighting> _sightings = [];

    /// <summary>The number of remembered devices.</summary>
    public int Count => _sightings.Count;

    /// <summary>Notes that a device was seen; false if there is no room to remember it.</summary>
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

    /// <summary>Takes the sightings that are due, and forgets devices that were not seen again since they were written.</summary>
    public List<SeenDevice> Take(DateTimeOffset now)
    {
        var due = new List<SeenDevice>();
        foreach ((DeviceId device, Sighting sighting) in _sightings)
        {
            if ((now - sighting.WrittenAt)?.Duration() < interval) // a clock that was set back does not delay a write
                continue;
            if (sighting.SeenAt is { } seenAt)
            {
                due.Add(new SeenDevice(device, seenAt));
                _sightings[device] = new Sighting(SeenAt: null, now);
            }
            else
            {
                _sightings.Remove(device); // a dictionary allows this during enumeration, like changing a value
            }
        }

        return due;
    }

    /// <param name="SeenAt">When it was last seen; null if not since it was written.</param>
    /// <param name="WrittenAt">When it was last taken to be written; null if it was not yet.</param>
    private readonly record struct Sighting(DateTimeOffset? SeenAt, DateTimeOffset? WrittenAt);
}
