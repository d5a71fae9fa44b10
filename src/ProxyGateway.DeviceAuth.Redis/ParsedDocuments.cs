using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The records of paired devices beside the bytes that they were parsed from. A document is read at every decision; only if it has the very bytes of last time, it is
/// not parsed again. Documents of strangers are not kept, so they push none out. Bounded; the longest unused goes first.
/// </summary>
internal sealed class ParsedDocuments
{
    /// <summary>How many bytes the documents have in all; the records take some times as much.</summary>
    public const int MostBytes = 2 << 20;

    /// <summary>The size of the largest document that is kept.</summary>
    public const int MostOfOne = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<DeviceId, LinkedListNode<Parsed>> _known = [];
    private readonly LinkedList<Parsed> _longestUnusedFirst = [];
    private int _bytes;

    /// <summary>How many bytes the kept documents have.</summary>
    public int Bytes
    {
        get
        {
            lock (_lock)
            {
                return _bytes;
            }
        }
    }

    /// <summary>The record of a document with these bytes; null if it is not kept.</summary>
    public DeviceRecord? Find(DeviceId device, ReadOnlySpan<byte> document)
    {
        lock (_lock)
        {
            if (!_known.TryGetValue(device, out LinkedListNode<Parsed>? node) || !document.SequenceEqual(node.Value.Document))
                return null;
            _longestUnusedFirst.Remove(node);
            _longestUnusedFirst.AddLast(node);
            return node.Value.Record;
        }
    }

    /// <summary>Keeps a record that was parsed from these bytes, in place of the device's earlier one.</summary>
    public void Keep(ReadOnlySpan<byte> document, DeviceRecord record)
    {
        lock (_lock)
        {
            if (_known.TryGetValue(record.Id, out LinkedListNode<Parsed>? node))
                Drop(node);
            if (!record.IsListed || document.Length > MostOfOne)
                return;
            _known[record.Id] = _longestUnusedFirst.AddLast(new Parsed(document.ToArray(), record));
            _bytes += document.Length;
            while (_bytes > MostBytes)
                Drop(_longestUnusedFirst.First!);
        }
    }

    private void Drop(LinkedListNode<Parsed> node)
    {
        _known.Remove(node.Value.Record.Id);
        _longestUnusedFirst.Remove(node);
        _bytes -= node.Value.Document.Length;
    }

    private sealed record Parsed(byte[] Document, DeviceRecord Record);
}
