using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;
using StackExchange.Redis.Availability;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The connection to the primary. It connects and reconnects by itself, bounds every call, and turns every failure into one kind of
/// exception.
/// </summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    /// <summary>Nothing is read from replicas: they may not have received a revocation yet.</summary>
    public const CommandFlags Primary = CommandFlags.DemandMaster;

    // The cause is known after the first attempt, unless the machine is very busy.
    private static readonly TimeSpan ReasonPatience = TimeSpan.FromSeconds(5);

    private readonly ConfigurationOptions _options;
    private readonly ILogger _logger;
    private readonly UnreadAnswers _unread = new();
    private readonly ConnectTrouble _trouble;
    private readonly HashSet<Cause> _told = []; // of this outage
    private readonly Lock _connecting = new();
    private volatile bool _hasTried; // all servers, once: one that is down says nothing about the others
    private volatile bool _hasConnected;
    private Task<ConnectionMultiplexer>? _multiplexer;

    public RedisConnection(RedisStoreOptions options, ILogger logger)
    {
        _options = Configure(options);
        _options.LoggerFactory = _trouble = new ConnectTrouble(Tell);
        _options.Tunnel ??= _unread; // an application's own tunnel is kept
        _logger = logger;
        _multiplexer = ConnectAsync();
    }

    /// <summary>
    /// Announcements may be lost from now on: the connection of the subscription broke, or another server is the primary.
    /// </summary>
    public event Action? SubscriptionLost;

    private bool IsConnected => _multiplexer is { IsCompletedSuccessfully: true } connection && connection.Result.IsConnected;

    /// <summary>Checks the options without connecting.</summary>
    /// <exception cref="ArgumentException">They are invalid. The message does not quote the configuration, which may hold a
    /// password.</exception>
    public static void Validate(RedisStoreOptions options) => Configure(options);

    /// <summary>
    /// Runs a script on one key. Redis knows it by its hash; the text is sent again to a server that was restarted or flushed.
    /// </summary>
    public Task<RedisResult> RunAsync(Script script, RedisKey key, RedisValue[] arguments, Deadline deadline, CancellationToken cancellationToken) =>
        RunAsync(script, [key], arguments, deadline, cancellationToken);

    /// <summary>Runs a script on keys of one slot.</summary>
    public async Task<RedisResult> RunAsync(
        Script script, RedisKey[] keys, RedisValue[] arguments, Deadline deadline, CancellationToken cancellationToken)
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
    /// <exception cref="RegistryUnavailableException">No answer by the deadline, or an error.</exception>
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
            ThrowIfTwoPrimaries(multiplexer); // the old primary may have come back since, and this answer may be its
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

    // This happens when a primary comes back after its replica was promoted. Each gateway would use one of them, and not all the same one.
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
        parsed.BacklogPolicy = BacklogPolicy.FailFast; // nothing queues while Redis is away: handshakes are refused, and clients retry
        parsed.RetryPolicy = RetryPolicy.None; // a retry must read the record and decide again
        // the deadline of each call is shorter, but may wait longer for an answer that has arrived unread
        parsed.AsyncTimeout = (2 + Deadline.SecondChance) * timeout;
        // for the library's own commands: it gives up a server that says nothing for four of these, and tries its replica
        parsed.SyncTimeout = timeout;
        parsed.ConnectTimeout = Math.Max(timeout, 1000);
        parsed.HeartbeatInterval = TimeSpan.FromMilliseconds(500); // how often lost connections are detected and retried
        parsed.ReconnectRetryPolicy = new LinearRetry(500);
        parsed.KeepAlive = 5;
        parsed.ConfigCheckSeconds = 2; // detects a server that became or ceased to be the primary
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
            return null; // its message may quote a password
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        ConnectionMultiplexer multiplexer = await ConnectionMultiplexer.ConnectAsync(_options);
        multiplexer.ConnectionFailed += (_, e) => Report(e, isConnected: false);
        multiplexer.ConnectionRestored += (_, e) => Report(e, isConnected: true);
        // nobody may have received a new primary's first announcements
        multiplexer.ConfigurationChanged += (_, _) => SubscriptionLost?.Invoke();
        _hasTried = true;
        if (multiplexer.IsConnected)
            _hasConnected = true;
        else if (_trouble.Last is { } cause)
            Tell(cause);
        else
            _ = TellIfNoCauseIsKnownAsync();
        return multiplexer;
    }

    // The library raises no event with the reason: the first attempts end before an event handler can be added.
    private void Tell(Cause cause)
    {
        // this one is logged with the lost connection
        if (!_hasTried || IsConnected || (_hasConnected && cause.Fault == RegistryFault.NotReachable))
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
