using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>For an application whose store keeps devices alone: what gateways share, in this process, which is then the only one.</summary>
internal sealed class ProcessDocuments(TimeProvider time) : ISharedDocumentStore
{
    private readonly Lock _lock = new();
    private readonly List<SharedDocument> _documents = [];

    public ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            _documents.RemoveAll(d => d.ExpiresAt <= now);
            return new(new SharedDocuments([.. _documents.Where(d => d.Group == group)], now));
        }
    }

    public ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            int index = _documents.FindIndex(d => d.Group == next.Group && d.Name == next.Name);
            if ((index < 0 ? null : _documents[index].Version) != previousVersion)
                return new(false);
            if (index >= 0)
                _documents.RemoveAt(index);
            _documents.Add(next);
            return new(true);
        }
    }
}
