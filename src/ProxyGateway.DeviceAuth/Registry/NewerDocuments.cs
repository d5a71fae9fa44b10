using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The devices with documents of a newer format that this gateway has met: a bounded number, for <c>/readyz</c> and the log.
/// </summary>
internal sealed class NewerDocuments
{
    /// <summary>How many devices are remembered.</summary>
    public const int Most = 1024;

    private readonly Lock _lock = new();
    private readonly OrderedDictionary<DeviceId, int> _formats = [];
    private int _next;
    private volatile bool _any;

    /// <summary>Notes a document. True if the device was not yet remembered with this format.</summary>
    public bool Note(NewerDocument document)
    {
        lock (_lock)
        {
            if (_formats.TryGetValue(document.Device, out int format))
            {
                _formats[document.Device] = document.Format;
                return format != document.Format;
            }

            if (_formats.Count >= Most)
                return false;
            _formats.Add(document.Device, document.Format);
            _any = true;
            return true;
        }
    }

    /// <summary>Forgets a device whose document can be read or is gone.</summary>
    public void Forget(DeviceId device)
    {
        if (!_any)
            return; // the usual case: every handshake calls this
        lock (_lock)
        {
            _formats.Remove(device);
            _any = _formats.Count > 0;
        }
    }

    /// <summary>The next device to be read again; null if there is none.</summary>
    public DeviceId? TakeNext()
    {
        lock (_lock)
        {
            if (_formats.Count == 0)
                return null;
            _next = (_next + 1) % _formats.Count;
            return _formats.GetAt(_next).Key;
        }
    }

    /// <summary>How many there are, and the greatest format; 0 if there are none.</summary>
    public (int Count, int Format) Count()
    {
        lock (_lock)
        {
            return (_formats.Count, _formats.Count == 0 ? 0 : _formats.Values.Max());
        }
    }
}
