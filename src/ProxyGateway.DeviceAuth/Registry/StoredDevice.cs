using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of reading one device's record.</summary>
public readonly record struct StoredDevice
{
    private readonly DeviceRecord? _record;

    /// <summary>A record, or none.</summary>
    public StoredDevice(DeviceRecord? record, DateTimeOffset now)
    {
        _record = record;
        Now = now;
    }

    /// <summary>A document that cannot be read.</summary>
    public StoredDevice(UnreadableDocumentException damage, DateTimeOffset now)
    {
        Damage = damage;
        Now = now;
    }

    /// <summary>The record; null if there is none, or if it has expired.</summary>
    /// <exception cref="UnreadableDocumentException">There is one, and it cannot be read.</exception>
    public DeviceRecord? Record => Damage is null ? _record : throw Damage;

    /// <summary>The store's time. It decides about expiry.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>Why the document cannot be read: it is damaged, or of a newer format; null if it can.</summary>
    public UnreadableDocumentException? Damage { get; }

    /// <summary>What became of the name that was given to be marked as used.</summary>
    public UseMark Mark { get; init; }

    /// <summary>The record and the time.</summary>
    /// <exception cref="UnreadableDocumentException">There is a record, and it cannot be read.</exception>
    public void Deconstruct(out DeviceRecord? record, out DateTimeOffset now)
    {
        record = Record;
        now = Now;
    }
}
