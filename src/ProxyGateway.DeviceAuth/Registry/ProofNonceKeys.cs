using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The keys of nonces, in one document that the gateways of a registry share: the current one, which is a day old at most, and the one before it. Any gateway
/// replaces them when it is time. They are first read, or made, when a nonce is asked for; so a registry whose gateways make none has no keys.
/// </summary>
internal sealed partial class ProofNonceKeys(IDeviceStore devices, TimeProvider time, ILogger<ProofNonceKeys> logger, ISharedDocumentStore? store = null) : INonceKeys
{
    /// <summary>The group of the document.</summary>
    public const string Group = "nonce-keys";

    /// <summary>The name of the document. A form that this version cannot read needs another name: a document that cannot be read is replaced.</summary>
    public const string Name = "keys";

    /// <summary>How old the current key becomes.</summary>
    public static readonly TimeSpan RotateAfter = TimeSpan.FromDays(1);

    /// <summary>How old what was read becomes.</summary>
    public static readonly TimeSpan ReadAfter = TimeSpan.FromMinutes(1);

    /// <summary>How often the registry is read at most, however many unknown ids strangers send.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    private const int MaxAttempts = 8;
    private static readonly TimeSpan KeptFor = TimeSpan.FromDays(3); // unless a gateway rotates them

    private readonly Lock _lock = new();
    private readonly DateTimeOffset? _remembersSince = (devices as IReplayStore)?.RemembersSince;
    private volatile Keys? _keys; // null: none was ever read
    private TimeMark? _readAt;
    private Task _reading = Task.CompletedTask;
    private volatile bool _hasFailed;

    /// <inheritdoc/>
    public NonceKey Current => _keys?.Current ?? throw Missing();

    /// <summary>The age of the current key, by the registry's clock; null if none was read.</summary>
    public TimeSpan? CurrentAge => _keys?.MadeAt is { } at ? time.GetUtcNow() - at : null;

    /// <inheritdoc/>
    public ValueTask RenewAsync(CancellationToken cancellationToken) => ReadAsync(_keys is null ? Pace : ReadAfter, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<NonceKey?> FindAsync(byte id, CancellationToken cancellationToken) =>
        Find(id) is { } known ? new(known) : FindUnknownAsync(id, cancellationToken);

    private async ValueTask<NonceKey?> FindUnknownAsync(byte id, CancellationToken cancellationToken)
    {
        await ReadAsync(Pace, cancellationToken);
        return Find(id) ?? (_hasFailed ? throw Missing() : null);
    }

    private NonceKey? Find(byte id)
    {
        Keys? keys = _keys;
        return keys?.Current.Id == id ? keys.Current : keys?.Previous?.Id == id ? keys.Previous : null;
    }

    private static RegistryUnavailableException Missing() => new("The keys of nonces cannot be read from the registry.");

    /// <summary>Reads the registry, unless that was done a short time ago. Without it the known keys stay.</summary>
    private ValueTask ReadAsync(TimeSpan maxAge, CancellationToken cancellationToken)
    {
        Task reading;
        lock (_lock)
        {
            if (_reading.IsCompleted && _readAt is { } last && last.Elapsed < maxAge)
                return default;
            if (_reading.IsCompleted)
            {
                _readAt = new TimeMark(time);
                _reading = Task.Run(TryReadAsync, CancellationToken.None); // not under the lock; others wait for it, too
            }

            reading = _reading;
        }

        return new ValueTask(reading.WaitAsync(cancellationToken));
    }

    private async Task TryReadAsync()
    {
        try
        {
            if (store is null)
                throw new RegistryUnavailableException("The registry's store keeps no documents that gateways share.");
            await ReadOrRotateAsync(store);
            _hasFailed = false;
        }
        catch (Exception e)
        {
            if (!_hasFailed)
                LogFailed(e);
            _hasFailed = true;
        }
    }

    private async Task ReadOrRotateAsync(ISharedDocumentStore shared)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            SharedDocuments found = await shared.ListAsync(Group, CancellationToken.None); // not a caller's token: the others wait for the same
            SharedDocument? document = found.Items.FirstOrDefault(d => d.Name == Name);
            StoredNonceKeys? keys = Parse(document);
            if (keys is not null)
                _keys = Read(keys);
            if (keys is not null && (found.Now - keys.Current.MadeAt).Duration() < RotateAfter) // also if the registry's clock was set back
                return;
            StoredNonceKeys next = Rotate(keys, found.Now);
            var replacement = new SharedDocument(
                Group, Name, JsonSerializer.SerializeToUtf8Bytes(next, RegistryJsonContext.Default.StoredNonceKeys), found.Now + KeptFor);
            if (!await shared.SwapAsync(document?.Version, replacement, CancellationToken.None))
                continue; // another gateway was faster: its keys count
            _keys = Read(next);
            return;
        }

        throw new RegistryUnavailableException("The keys of nonces change faster than they can be read.") { IsContended = true };
    }

    private static StoredNonceKeys Rotate(StoredNonceKeys? keys, DateTimeOffset now)
    {
        byte id = keys is null ? RandomNumberGenerator.GetBytes(1)[0] : unchecked((byte)(keys.Current.Id + 1));
        return new StoredNonceKeys(new StoredNonceKey(id, RandomNumberGenerator.GetBytes(NonceKey.Size), now), keys?.Current);
    }

    private StoredNonceKeys? Parse(SharedDocument? document)
    {
        if (document is null)
            return null;
        try
        {
            StoredNonceKeys? keys = JsonSerializer.Deserialize(document.Content.Span, RegistryJsonContext.Default.StoredNonceKeys);
            if (keys is { Current.Secret.Length: NonceKey.Size, Previous: null or { Secret.Length: NonceKey.Size } })
                return keys;
        }
        catch (JsonException)
        {
            // as below
        }

        LogDamaged();
        return null;
    }

    private Keys Read(StoredNonceKeys stored) => new(Read(stored.Current), stored.Previous is { } previous ? Read(previous) : null, stored.Current.MadeAt);

    // Where the memory of used proofs ends with the process, so do its nonces, whatever its clock says: else a proof that was used before a restart could be sent again.
    private NonceKey Read(StoredNonceKey stored) =>
        new(stored.Id, [.. _remembersSince is { } since ? HMACSHA256.HashData(stored.Secret, BitConverter.GetBytes(since.UtcTicks)) : stored.Secret]);

    private sealed record Keys(NonceKey Current, NonceKey? Previous, DateTimeOffset MadeAt);

    [LoggerMessage(1520, LogLevel.Warning, "The keys of nonces cannot be read from the registry or written to it. Routes with the handshake Proof give no nonces until they can, or use the keys that are known.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(1521, LogLevel.Warning, "The registry's document of nonce keys is damaged, and is replaced. Clients get new nonces.")]
    private partial void LogDamaged();
}
