using System.Buffers;
using System.Text;
using System.Text.Json;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>A request of the host's, until it has an answer. Exactly one is written, unless the host cancels it.</summary>
internal sealed class McpExchange(McpConnection connection, McpMessage request) : IDisposable
{
    private const int MaxFailures = 5;
    private const int ShownBody = 300;
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1); // a server should end a stream after its answer

    private readonly CancellationTokenSource _cancelled = new();
    private string? _lastEventId;
    private TimeSpan? _reconnect;
    private bool _hasMessages;

    public McpMessage Request => request;

    public bool IsAnswered { get; private set; }

    /// <summary>The host does not want an answer any longer.</summary>
    public void Cancel()
    {
        try
        {
            _cancelled.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended.
        }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _cancelled.Token);
        try
        {
            await AnswerAsync(both.Token);
        }
        catch (McpFailure failure)
        {
            if (!IsAnswered && !_cancelled.IsCancellationRequested)
                await WriteAsync(failure.ToJson(request.Id));
        }
        catch (OperationCanceledException)
        {
            IsAnswered |= _cancelled.IsCancellationRequested;
        }
    }

    public void Dispose() => _cancelled.Dispose();

    private async Task AnswerAsync(CancellationToken cancellationToken)
    {
        McpSession? session = request is { Revision: null, Method: not "initialize" } ? connection.Session : null;
        bool mayBeginAnother = session?.Id is not null;
        for (int failures = 0; ; failures++)
        {
            string why;
            try
            {
                bool isResumed = _lastEventId is not null;
                using HttpResponseMessage response = isResumed
                    ? await connection.GetAsync(session, _lastEventId, cancellationToken)
                    : await connection.PostAsync(request, session, cancellationToken);
                if (response.IsSuccessStatusCode)
                {
                    await ReadAsync(response, cancellationToken);
                    failures = isResumed || _hasMessages ? 0 : failures; // a server may end streams on purpose, to be asked for the rest
                    why = "the stream ended";
                }
                else if (mayBeginAnother && await McpConnection.IsSessionLostAsync(response, cancellationToken))
                {
                    mayBeginAnother = false;
                    session = await connection.BeginAnotherAsync(session!, cancellationToken);
                    if (!isResumed)
                        continue; // the server has not looked at the request
                    _lastEventId = null;
                    why = "the server has lost the session";
                }
                else if (isResumed)
                {
                    _lastEventId = null;
                    why = $"the server answers {(int)response.StatusCode} when it is asked for the rest";
                }
                else
                {
                    await RefusedAsync(response, cancellationToken);
                    return;
                }
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                why = PlainText.Of(e.Message);
            }

            if (IsAnswered)
                return;
            if (_lastEventId is null && !request.IsSafe)
                throw McpFailure.NoAnswer($"The connection broke before the answer ({why}); what was asked for may have been done");
            if (failures >= MaxFailures)
                throw McpFailure.NoAnswer($"The server does not answer ({why})");
            await Task.Delay(_reconnect ?? McpLimits.FirstPause * (failures + 1), cancellationToken);
        }
    }

    private async Task ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        _hasMessages = false;
        var answer = new McpAnswer(response);
        using var rest = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await foreach (McpMessage message in answer.ReadAsync(rest.Token))
            {
                _hasMessages = true;
                if (!message.IsAnswer || message.Id != request.Id)
                {
                    await connection.DeliverAsync(message.Utf8);
                }
                else if (!IsAnswered)
                {
                    connection.Answered(request, message, McpConnection.SessionIdOf(response));
                    await WriteAsync(message.Utf8);
                    rest.CancelAfter(LastWords);
                }
            }
        }
        catch (Exception e) when (IsAnswered && e is IOException or HttpRequestException or OperationCanceledException)
        {
            // The answer is all that matters.
        }
        finally
        {
            // Streams of newer revisions cannot be resumed, whatever ids they have.
            _lastEventId = request.Revision is null ? answer.LastEventId ?? _lastEventId : null;
            _reconnect = answer.Reconnect;
        }
    }

    /// <summary>The server answers with an error of HTTP; it may hold one of JSON-RPC.</summary>
    private async Task RefusedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] body = await McpAnswer.BodyAsync(response, cancellationToken);
        if (McpMessage.Parse(body) is { IsError: true } error && (error.Id is null || error.Id == request.Id))
        {
            await WriteAsync(error.Id is null ? WithId(error) : error.Utf8);
            return;
        }

        string text = PlainText.Of(Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, ShownBody))));
        throw McpFailure.NoAnswer($"The server answers {(int)response.StatusCode} {PlainText.Of(response.ReasonPhrase)} {text}".Trim());
    }

    private ReadOnlyMemory<byte> WithId(McpMessage error)
    {
        using JsonDocument document = JsonDocument.Parse(error.Utf8);
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WritePropertyName("id"u8);
        json.WriteRawValue(request.Id!);
        json.WritePropertyName("error"u8);
        document.RootElement.GetProperty("error"u8).WriteTo(json);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private Task WriteAsync(ReadOnlyMemory<byte> answer)
    {
        IsAnswered = true;
        return connection.DeliverAsync(answer);
    }
}
