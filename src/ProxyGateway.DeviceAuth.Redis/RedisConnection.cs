using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;
using StackExchange.Redis.Availability;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>The connection to the primary: connects by itself and again, bounds every call, and turns every failure into one kind of exception.</summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    /// <summary>Nothing is read from replicas: they may not have heard of a revocation yet.</summary>
    public const CommandFlags Primary = CommandFlags.DemandMaster;

    // A cause is known after the first attempt, unless the machine is very busy.
    private static readonly TimeSpan ReasonPatience = TimeSpan.FromSeconds(5);

    private readonly ConfigurationOptions _options;
    private readonly ILogger _logger;
    private readonly UnreadAnswers _unread = new();
    private readonly ConnectTrouble _trouble;
    private readonly HashSet<Cause> _told = []; // of this outage
    private readonly Lock _connecting = new();
    private volatile bool _hasTried; // all servers, once: that one of them is away says nothing
    private volatile bool _hasConnected;
    private Task<ConnectionMultiplexer>? _multiplexer;

    public RedisConnection(RedisStoreOptions options, ILogger logger)
    {
        _options = Configure(options);
        _options.LoggerFactory = _trouble = new ConnectTrouble(Tell);
        _options.Tunnel ??= _unread; // who has a tunnel of their own keeps it
        _logger = logger;
        _multiplexer = ConnectAsync();
    }

    /// <summary>Announcements may be lost from now on: the connection by which they come broke, or another server is the primary.</summary>
    public event Action? SubscriptionLost;

    private bool IsConnected => _multiplexer is { IsCompletedSuccessfully: true } connection && connection.Result.IsConnected;

    /// <summary>Checks the options without connecting.</summary>
    /// <exception cref="ArgumentException">They cannot be used. The message does not repeat the configuration, which may hold a password.</exception>
    public static void Validate(RedisStoreOptions options) => Configure(options);

    /// <summary>Runs a script on one key. Redis knows it by its hash; a server that was restarted or flushed is told the text once more.</summary>
    public Task<RedisResult> RunAsync(Script script, RedisKey key, RedisValue[] arguments, Deadline deadline, CancellationToken cancellationToken) =>
        RunAsync(script, [key], arguments, deadline, cancellationToken);

    /// <summary>Runs a script on keys of one slot.</summary>
    public async Task<RedisResult> RunAsync(Script script, RedisKey[] keys, RedisValue[] arguments, Deadline deadline, CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync(database => database.ScriptEvaluateAsync(script.Hash, keys, arguments, Primary), deadline, cancellationToken);
        }
        catch (RegistryUnavailableException e) when (e.InnerException is RedisServerException { Message: var message } && message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            return await RunAsync(
                database => database.ScriptEvaluateAsync(script.Text, keys, arguments, Primary | CommandFlags.NoScriptCache), deadline, cancellationToken);
        }
    }

    /// <summary>Runs a command.</summary>
    /// <exception cref="RegistryUnavailableException">No answer by the deadline, or none that can be used.</exception>
    public async Task<T> RunAsync<T>(Func<IDatabase, Task<T>> command, Deadline deadline, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Task<T>? running = null;
        try
        {
            ConnectionMultiplexer multiplexer = await Connection().WaitAsync(deadline.Remaining, cancellationToken);
            ThrowIfTwoPrimaries(multiplexer);
            running = command(multiplexer.GetDatabase());
            T answer = await deadline.AnswerAsync(running, _unread.Any, cancellationToken);
            ThrowIfTwoPrimaries(multiplexer); // the old one may have come back since, and be the one that has answered
            _trouble.Clear();
            return answer;
        }
        catch (Exception e) when (Failure.IsOne(e) || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            Cause cause = Failure.Describe(e, IsConnected, _trouble.Last);
            throw new RegistryUnavailableException(cause.Text, e) { Fault = cause.Fault };
        }
        finally
        {
            if (running is { IsCompleted: false })
                _ = running.ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await (await _multiplexer!).DisposeAsync();
        }
        catch (RedisException)
        {
            // never connected
        }
    }

    // As when a primary comes back after its replica was promoted. Gateways would each take one of them for the truth, and not the same one.
    private void ThrowIfTwoPrimaries(ConnectionMultiplexer multiplexer)
    {
        if (_options.EndPoints.Count > 1
            && multiplexer.GetServers().Count(s => s is { IsConnected: true, IsReplica: false, ServerType: ServerType.Standalone }) > 1)
        {
            throw new RegistryUnavailableException("More than one primary answers, and all but one are out of date. Nobody is admitted until those are replicas.");
        }
    }

    private static ConfigurationOptions Configure(RedisStoreOptions options)
    {
        if (options.Timeout <= TimeSpan.Zero)
            throw new ArgumentException("Timeout must be positive.", nameof(options));
        if (options.WaitForReplicas < 0)
            throw new ArgumentException("WaitForReplicas must not be negative.", nameof(options));
        if (options.KeyPrefix.AsSpan().ContainsAny('{', '}'))
            throw new ArgumentException("KeyPrefix must not contain braces.", nameof(options));
        ConfigurationOptions parsed = TryParse(options.Configuration)
            ?? throw new ArgumentException("Configuration is not what StackExchange.Redis understands: host:port, then name=value, all separated by commas.", nameof(options));
        if (parsed.EndPoints.Count == 0)
            throw new ArgumentException("Configuration names no host.", nameof(options));

        int timeout = (int)Math.Ceiling(options.Timeout.TotalMilliseconds);
        parsed.AbortOnConnectFail = false; // the gateway starts while Redis is away
        parsed.BacklogPolicy = BacklogPolicy.FailFast; // nothing queues while Redis is away: handshakes are refused, and ask again
        parsed.RetryPolicy = RetryPolicy.None; // whoever retries decides again first
        parsed.AsyncTimeout = (2 + Deadline.SecondChance) * timeout; // the deadline of each call is what counts; it may give an answer a second chance to be looked at
        parsed.SyncTimeout = timeout; // of what it asks by itself: a server that says nothing for four of these is given up, and its replica looked at
        parsed.ConnectTimeout = Math.Max(timeout, 1000);
        parsed.HeartbeatInterval = TimeSpan.FromMilliseconds(500); // looks for lost connections, and tries them again
        parsed.ReconnectRetryPolicy = new LinearRetry(500);
        parsed.KeepAlive = 5;
        parsed.ConfigCheckSeconds = 2; // looks for a primary that is one no longer, or again
        parsed.IncludePerformanceCountersInExceptions = false;
        return parsed;
    }

    private static ConfigurationOptions? TryParse(string configuration)
    {
        try
        {
            return ConfigurationOptions.Parse(configuration);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return null; // what it says may quote a password
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        ConnectionMultiplexer multiplexer = await ConnectionMultiplexer.ConnectAsync(_options);
        multiplexer.ConnectionFailed += (_, e) => Report(e, isConnected: false);
        multiplexer.ConnectionRestored += (_, e) => Report(e, isConnected: true);
        multiplexer.ConfigurationChanged += (_, _) => SubscriptionLost?.Invoke(); // a new primary: what it announced first may have reached nobody
        _hasTried = true;
        if (multiplexer.IsConnected)
            _hasConnected = true;
        else if (_trouble.Last is { } cause)
            Tell(cause);
        else
            _ = TellIfNoCauseIsKnownAsync();
        return multiplexer;
    }

    // The library tells why in no event, as the first attempts were over before anybody could listen.
    private void Tell(Cause cause)
    {
        if (!_hasTried || IsConnected || (_hasConnected && cause.Fault == RegistryFault.NotReachable)) // that one is told with the lost connection
            return;
        lock (_told)
        {
            if (!_told.Add(cause))
                return;
        }

        Log.NotConnected(_logger, cause.Text);
    }

    private async Task TellIfNoCauseIsKnownAsync()
    {
        await Task.Delay(ReasonPatience);
        if (!_hasConnected && _trouble.Last is null)
            Tell(Failure.Unknown);
    }

    private void Report(ConnectionFailedEventArgs e, bool isConnected)
    {
        if (!isConnected)
            _trouble.Note(e.Exception);
        if (e.ConnectionType == ConnectionType.Subscription)
        {
            if (!isConnected)
                SubscriptionLost?.Invoke();
        }
        else if (isConnected)
        {
            _hasConnected = true;
            _trouble.Clear();
            lock (_told)
            {
                _told.Clear();
            }

            Log.ConnectionRestored(_logger, e.EndPoint);
        }
        else
        {
            Log.ConnectionLost(_logger, e.EndPoint, e.FailureType);
        }
    }

    private Task<ConnectionMultiplexer> Connection()
    {
        if (_multiplexer is { IsFaulted: false } connection)
            return connection;
        lock (_connecting)
        {
            return _multiplexer is null or { IsFaulted: true } ? _multiplexer = ConnectAsync() : _multiplexer;
        }
    }
}
