using System.Buffers;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Identity;

/// <inheritdoc cref="IDeviceAssertionKeys"/>
/// <param name="store">Where the gateways announce their keys.</param>
/// <param name="time">The clock.</param>
internal sealed class AssertionKeySet(ISharedDocumentStore store, TimeProvider time) : IDeviceAssertionKeys
{
    /// <summary>The group of the documents. Each has a JWK, under its thumbprint.</summary>
    public const string Group = "assertion-keys";

    /// <summary>How long a key is in the registry after its last announcement.</summary>
    public static readonly TimeSpan Stay = TimeSpan.FromMinutes(70);

    // Strangers may ask for the keys as often as they like.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Renewed<Known> _keys = new(() => ReadAsync(store, time), Interval, time);
    private volatile Known? _last;

    /// <summary>Where the gateways announce their keys.</summary>
    public ISharedDocumentStore Store => store;

    /// <inheritdoc/>
    public async Task<ReadOnlyMemory<byte>> GetJwksAsync(CancellationToken cancellationToken)
    {
        try
        {
            _last = await _keys.GetAsync().WaitAsync(cancellationToken);
        }
        catch (RegistryUnavailableException) when (_last is { } last && last.ReadAt.Elapsed < Stay)
        {
            // The known ones are good until they expire.
        }

        return Write(_last!);
    }

    private static async Task<Known> ReadAsync(ISharedDocumentStore store, TimeProvider time)
    {
        var readAt = new TimeMark(time); // before it is read, so that nothing counts for too long
        return new Known(await store.ListAsync(Group, CancellationToken.None), readAt);
    }

    private static ReadOnlyMemory<byte> Write(Known known)
    {
        DateTimeOffset now = known.Documents.Now + known.ReadAt.Elapsed;
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteStartArray("keys");
        foreach (SharedDocument document in known.Documents.Items.Where(d => d.ExpiresAt > now))
            json.WriteRawValue(document.Content.Span);
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private sealed record Known(SharedDocuments Documents, TimeMark ReadAt);
}
