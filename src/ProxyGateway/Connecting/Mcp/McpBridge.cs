using System.Collections.Concurrent;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>Carries messages between a host that has started this program and a server behind a gateway, until the host ends the standard input.</summary>
internal sealed class McpBridge : IDisposable
{
    private readonly CancellationToken _stop;
    private readonly CancellationTokenSource _ended;
    private readonly HostInput _input;
    private readonly HostOutput _output;
    private readonly McpConnection _connection;
    private readonly ConcurrentDictionary<string, (McpExchange Exchange, Task Task)> _underWay = [];
    private int _bytesUnderWay;

    public McpBridge(McpEndpoint endpoint, Stream input, Stream output, CancellationToken stop)
    {
        _stop = stop;
        _ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _input = new HostInput(input);
        _output = new HostOutput(output);
        _connection = new McpConnection(endpoint, _output, _ended.Token);
    }

    /// <summary>Whether every request had its answer.</summary>
    public async Task<bool> RunAsync()
    {
        try
        {
            while (await NextAsync() is { } line)
            {
                if (McpMessage.Parse(line) is { } message)
                    await HandleAsync(message);
                else
                    await FailAsync(McpFailure.Invalid("This is no JSON-RPC message, or several in one array"));
            }

            await FinishAsync();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to end; what is under way ends with it.
        }

        bool isComplete = _underWay.Values.All(entry => IsDone(entry.Exchange));
        await _ended.CancelAsync();
        await Task.WhenAll(_underWay.Values.Select(entry => entry.Task));
        await _connection.EndAsync();
        return isComplete;
    }

    public void Dispose()
    {
        _connection.Dispose();
        _ended.Dispose();
        _output.Dispose();
    }

    private async Task<byte[]?> NextAsync()
    {
        while (true)
        {
            try
            {
                // A read of the standard input cannot be cancelled.
                return await _input.ReadLineAsync(CancellationToken.None).AsTask().WaitAsync(_stop);
            }
            catch (InvalidDataException e)
            {
                await FailAsync(McpFailure.Invalid(e.Message));
            }
        }
    }

    private async Task HandleAsync(McpMessage message)
    {
        if (message.IsRequest)
        {
            Task answered = StartAsync(message);
            if (message.Method == "initialize")
                await answered; // what follows belongs to its session
        }
        else if (message.CancelledId is { } cancelled && _underWay.TryGetValue(cancelled, out var entry))
        {
            // From 2026-07-28 on the end of its stream cancels a request; before, a notification.
            if (entry.Exchange.Request.Revision is null)
                await TellAsync(message);
            entry.Exchange.Cancel();
        }
        else
        {
            await TellAsync(message);
        }
    }

    private Task StartAsync(McpMessage request)
    {
        int length = request.Utf8.Length;
        if (_underWay.Count >= McpLimits.UnderWay || Volatile.Read(ref _bytesUnderWay) + length > McpLimits.BytesUnderWay)
            return FailAsync(McpFailure.Invalid("Too many requests are under way"), request.Id);
        if (_underWay.TryGetValue(request.Id!, out var earlier) && !earlier.Exchange.IsAnswered)
            return FailAsync(McpFailure.Invalid("A request with this id is under way"), request.Id);

        Interlocked.Add(ref _bytesUnderWay, length);
        var exchange = new McpExchange(_connection, request);
        var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task task = RunAsync();
        _underWay[request.Id!] = (exchange, task);
        begin.SetResult();
        return task;

        async Task RunAsync()
        {
            await begin.Task;
            await exchange.RunAsync(_ended.Token);
            // The host may use the id again once it has the answer, which is before the stream of it has ended.
            if (exchange.IsAnswered && _underWay.TryGetValue(request.Id!, out var own) && own.Exchange == exchange)
                _underWay.TryRemove(KeyValuePair.Create(request.Id!, own));
            Interlocked.Add(ref _bytesUnderWay, -length);
            exchange.Dispose();
        }
    }

    /// <summary>Sends what has no answer: a notification, or the host's own answer to the server.</summary>
    private async Task TellAsync(McpMessage message)
    {
        string name = PlainText.Of(message.Method ?? "an answer");
        try
        {
            McpSession? session = message.Revision is null ? _connection.Session : null;
            using HttpResponseMessage response = await _connection.PostAsync(message, session, _stop);
            if (response.IsSuccessStatusCode)
            {
                if (message.Method == "notifications/initialized")
                    _connection.OpenStanding();
            }
            else if (session?.Id is not null && await McpConnection.IsSessionLostAsync(response, _stop))
            {
                await _connection.BeginAnotherAsync(session, _stop); // the message was about the lost one
            }
            else
            {
                McpEndpoint.Say($"the server answers {(int)response.StatusCode} to {name}");
            }
        }
        catch (Exception e) when (e is McpFailure or IOException or HttpRequestException)
        {
            McpEndpoint.Say($"{name} was not delivered: {PlainText.Of(e.Message)}");
        }
    }

    private async Task FinishAsync()
    {
        try
        {
            await Task.WhenAll(_underWay.Values.Where(entry => !IsDone(entry.Exchange)).Select(entry => entry.Task)).WaitAsync(McpLimits.LastWait, _stop);
        }
        catch (TimeoutException)
        {
            McpEndpoint.Say("the standard input has ended; what is still under way is given up");
        }
    }

    // A subscription has no answer while it lasts.
    private static bool IsDone(McpExchange exchange) => exchange.IsAnswered || exchange.Request.Method == "subscriptions/listen";

    private Task FailAsync(McpFailure failure, string? id = null)
    {
        McpEndpoint.Say(failure.Message);
        return _output.WriteAsync(failure.ToJson(id));
    }
}
