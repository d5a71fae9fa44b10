using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>What all messages between the host and the server share: the session, the stream of what the server says by itself, the output.</summary>
internal sealed class McpConnection(McpEndpoint endpoint, HostOutput output, CancellationToken ended) : IDisposable
{
    private const int MaxKept = 256;
    private static readonly TimeSpan DeletePatience = TimeSpan.FromSeconds(2);
    private static readonly McpMessage Initialized = McpMessage.Parse("""{"jsonrpc":"2.0","method":"notifications/initialized"}"""u8.ToArray())!;

    private readonly SemaphoreSlim _begin = new(1);
    private readonly ConcurrentDictionary<string, McpMessage> _kept = []; // what a new session must be told again
    private readonly Lock _lock = new();
    private CancellationTokenSource? _standing;
    private Task _reading = Task.CompletedTask;
    private McpSession? _session;

    /// <summary>What was agreed on; null before <c>initialize</c>, and always in revisions that have none.</summary>
    public McpSession? Session => Volatile.Read(ref _session);

    /// <summary>Writes a message to the host.</summary>
    public Task DeliverAsync(ReadOnlyMemory<byte> message) => output.WriteAsync(message);

    /// <summary>Where tools want parameters in headers.</summary>
    public ToolHeaders Tools { get; } = new();

    /// <summary>Posts a message.</summary>
    /// <exception cref="McpFailure">The gateway refuses, or nobody answers.</exception>
    public Task<HttpResponseMessage> PostAsync(McpMessage message, McpSession? session, CancellationToken cancellationToken) => endpoint.SendAsync(
        () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, (Uri?)null) { Content = new ReadOnlyMemoryContent(message.Utf8) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            McpHeaders.Add(request.Headers, message, session, Tools);
            return request;
        },
        message.IsSafe || !message.IsRequest,
        message.Method is "initialize" or "server/discover" ? McpLimits.PatienceAtStart : McpLimits.Patience,
        cancellationToken);

    /// <summary>Asks for what the server says by itself, or for the rest of a stream.</summary>
    /// <exception cref="McpFailure">The gateway refuses, or nobody answers.</exception>
    public Task<HttpResponseMessage> GetAsync(McpSession? session, string? lastEventId, CancellationToken cancellationToken) => endpoint.SendAsync(
        () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, (Uri?)null);
            request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
            if (lastEventId is not null)
                request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
            McpHeaders.Add(request.Headers, session);
            return request;
        },
        isSafe: true,
        McpLimits.Patience,
        cancellationToken);

    /// <summary>A request of the host's has its answer.</summary>
    public void Answered(McpMessage request, McpMessage answer, string? sessionId)
    {
        if (answer.IsError)
            return;
        switch (request.Method)
        {
            case "initialize":
                _kept.Clear();
                Volatile.Write(ref _session, new McpSession(sessionId, answer.NegotiatedRevision(), request));
                break;
            case "tools/list" when request.Revision is not null:
                Tools.Learn(answer);
                break;
            case "logging/setLevel" when request.Revision is null:
                _kept[""] = request;
                break;
            case "resources/subscribe" when request.Revision is null && _kept.Count < MaxKept:
                _kept[request.SubscribedTo() ?? ""] = request;
                break;
            case "resources/unsubscribe":
                _kept.TryRemove(request.SubscribedTo() ?? "", out _);
                break;
        }
    }

    /// <summary>Opens the stream of what the server says by itself, in place of that of an older session.</summary>
    public void OpenStanding()
    {
        if (Session is not { } session)
            return;
        CancellationTokenSource? older;
        lock (_lock)
        {
            older = _standing;
            _standing = CancellationTokenSource.CreateLinkedTokenSource(ended);
            _reading = Task.WhenAll(_reading, new StandingStream(this, session).RunAsync(_standing.Token));
        }

        older?.Cancel();
    }

    /// <summary>Begins another session in place of one that the server has lost, as the host began that; if several notice it, one does it.</summary>
    /// <exception cref="McpFailure">There is no other.</exception>
    public async Task<McpSession> BeginAnotherAsync(McpSession lost, CancellationToken cancellationToken)
    {
        await _begin.WaitAsync(cancellationToken);
        try
        {
            if (Session is { } current && current != lost)
                return current;
            McpEndpoint.Say("the server has lost the session; another begins");
            McpSession next = await InitializeAsync(lost.Initialize, cancellationToken);
            await TellAsync(Initialized, next, cancellationToken);
            foreach (McpMessage message in _kept.Values)
                await TellAsync(message, next, cancellationToken);
            Volatile.Write(ref _session, next);
            OpenStanding();
            return next;
        }
        finally
        {
            _begin.Release();
        }
    }

    /// <summary>Whether a response says that the server does not know the session. Many servers answer 400, as the examples of an SDK do.</summary>
    public static async Task<bool> IsSessionLostAsync(HttpResponseMessage response, CancellationToken cancellationToken) =>
        response.StatusCode == HttpStatusCode.NotFound
        || (response.StatusCode == HttpStatusCode.BadRequest
            && McpMessage.Parse(await McpAnswer.BodyAsync(response, cancellationToken)) is { ErrorMessage: { } error }
            && error.Contains("session", StringComparison.OrdinalIgnoreCase));

    /// <summary>Ends the session at the server, once everything else has been told to end.</summary>
    public async Task EndAsync()
    {
        await _reading;
        if (Session is not { Id: not null } session)
            return;
        using var deadline = new CancellationTokenSource(DeletePatience);
        try
        {
            using HttpResponseMessage response = await endpoint.SendAsync(
                () =>
                {
                    var request = new HttpRequestMessage(HttpMethod.Delete, (Uri?)null);
                    McpHeaders.Add(request.Headers, session);
                    return request;
                },
                isSafe: true,
                TimeSpan.Zero,
                deadline.Token);
        }
        catch (Exception e) when (e is McpFailure or OperationCanceledException)
        {
            // The server ends it by itself some time.
        }
    }

    public void Dispose()
    {
        _begin.Dispose();
        _standing?.Dispose();
    }

    private async Task<McpSession> InitializeAsync(McpMessage initialize, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await PostAsync(initialize, session: null, cancellationToken);
        string? id = SessionIdOf(response);
        try
        {
            if (response.IsSuccessStatusCode && await AnswerAsync(response, initialize, cancellationToken) is { IsError: false } answer)
                return new McpSession(id, answer.NegotiatedRevision(), initialize);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // The same as no answer.
        }

        throw McpFailure.NoAnswer($"The server has lost the session and begins no other (it answers {(int)response.StatusCode})");
    }

    /// <summary>Sends what the host has sent to another session already, and keeps the answer.</summary>
    private async Task TellAsync(McpMessage message, McpSession session, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await PostAsync(message, session, cancellationToken);
        try
        {
            if (message.IsRequest && response.IsSuccessStatusCode)
                await AnswerAsync(response, message, cancellationToken);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            McpEndpoint.Say($"the new session was not told of {PlainText.Of(message.Method)}");
        }
    }

    private async Task<McpMessage?> AnswerAsync(HttpResponseMessage response, McpMessage request, CancellationToken cancellationToken)
    {
        await foreach (McpMessage message in new McpAnswer(response).ReadAsync(cancellationToken))
        {
            if (message.IsAnswer && message.Id == request.Id)
                return message;
            await DeliverAsync(message.Utf8);
        }

        return null;
    }

    public static string? SessionIdOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(McpHeaders.Session, out IEnumerable<string>? values) ? values.First() : null;
}
