namespace ProxyGateway.DeviceAuth.Client;

/// <summary>The newest nonce of each gateway, by its origin. Thread-safe; handlers and WebSockets may share one.</summary>
/// <param name="time">The clock; null for the system's.</param>
public sealed class NonceCache(TimeProvider? time = null)
{
    private const int MaxOrigins = 256;
    private const int MaxLength = 256;

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Nonce, DateTimeOffset Since)> _nonces = [];

    /// <summary>The newest nonce of the gateway at this URL; null if there is none yet.</summary>
    /// <param name="url">Any URL of the gateway.</param>
    public string? Find(Uri url) => Find(url, TimeSpan.MaxValue);

    /// <summary>Keeps the newest nonce of the gateway at this URL.</summary>
    /// <param name="url">Any URL of the gateway.</param>
    /// <param name="nonce">The nonce, as it came. What cannot be one is ignored.</param>
    public void Keep(Uri url, string nonce)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(nonce);
        if (nonce.Length is 0 or > MaxLength || nonce.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return;
        lock (_lock)
        {
            string origin = GateUrl.OriginOf(url);
            if (_nonces.Count >= MaxOrigins && !_nonces.ContainsKey(origin))
                _nonces.Clear();
            _nonces[origin] = (nonce, _time.GetUtcNow());
        }
    }

    /// <summary>Forgets the gateway's nonce, such as when its connections break: another gateway, with other keys, may answer next.</summary>
    /// <param name="url">Any URL of the gateway.</param>
    public void Forget(Uri url)
    {
        ArgumentNullException.ThrowIfNull(url);
        lock (_lock)
            _nonces.Remove(GateUrl.OriginOf(url));
    }

    /// <summary>The newest nonce, if it came no longer ago than this. A clock that was set makes it old.</summary>
    internal string? Find(Uri url, TimeSpan maxAge)
    {
        ArgumentNullException.ThrowIfNull(url);
        lock (_lock)
            return _nonces.TryGetValue(GateUrl.OriginOf(url), out var kept) && (_time.GetUtcNow() - kept.Since).Duration() <= maxAge ? kept.Nonce : null;
    }
}
