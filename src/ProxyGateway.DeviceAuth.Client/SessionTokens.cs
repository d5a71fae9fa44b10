namespace ProxyGateway.DeviceAuth.Client;

/// <summary>
/// The newest session token. One is asked for beside the requests and never waited for: without one a request has a proof, which always works. Thread-safe.
/// </summary>
/// <param name="ask">Asks the gateway for a token; null if it gives none.</param>
/// <param name="time">The clock.</param>
internal sealed class SessionTokens(Func<HttpRequestMessage, CancellationToken, Task<string?>> ask, TimeProvider time)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(4.5); // a gateway's tokens last five minutes
    private static readonly TimeSpan Chatty = TimeSpan.FromMinutes(1); // with fewer requests a token costs more than it saves
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private string? _token;
    private long _since;
    private long? _lastUse;
    private long? _failed;
    private bool _isOld;
    private bool _hasHeld;
    private bool _isAsking;

    /// <summary>The last question for one.</summary>
    public Task Asking { get; private set; } = Task.CompletedTask;

    /// <summary>The token for a request; null: send a proof.</summary>
    /// <param name="request">The request, whose version of HTTP is also right for asking.</param>
    public string? Find(HttpRequestMessage request)
    {
        lock (_lock)
        {
            long now = time.GetTimestamp();
            if (_token is not null && time.GetElapsedTime(_since, now) >= MaxAge)
                _token = null;
            bool isChatty = _lastUse is { } last && time.GetElapsedTime(last, now) <= Chatty;
            _lastUse = now;
            bool mayAsk = !_isAsking && (_failed is not { } failed || time.GetElapsedTime(failed, now) >= Pause);
            if (isChatty && mayAsk && (_token is null || _isOld))
            {
                _isAsking = true;
                Asking = AskAsync(new HttpRequestMessage { Version = request.Version, VersionPolicy = request.VersionPolicy });
            }

            return _token;
        }
    }

    /// <summary>The gateway has taken a token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="isOld">Whether it is past half its life, so that it is time for the next one.</param>
    public void Taken(string token, bool isOld)
    {
        lock (_lock)
        {
            if (_token != token)
                return;
            _hasHeld = true;
            _isOld |= isOld;
        }
    }

    /// <summary>The gateway has refused a token. Where none ever held, the next one is not asked for at once.</summary>
    public void Refused(string token)
    {
        lock (_lock)
        {
            if (_token != token)
                return;
            _token = null;
            if (!_hasHeld)
                _failed = time.GetTimestamp();
        }
    }

    private async Task AskAsync(HttpRequestMessage request)
    {
        await Task.Yield(); // out of the lock
        string? token = null;
        try
        {
            using (request)
            using (var deadline = new CancellationTokenSource(Patience, time))
                token = await ask(request, deadline.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Requests go on with proofs, and meet what is the matter.
        }

        lock (_lock)
        {
            _isAsking = false;
            if (token is null)
                _failed = time.GetTimestamp();
            else
                (_token, _since, _isOld, _hasHeld, _failed) = (token, time.GetTimestamp(), false, false, null);
        }
    }
}
