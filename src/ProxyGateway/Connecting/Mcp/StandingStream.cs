namespace ProxyGateway.Connecting.Mcp;

/// <summary>
/// The stream of what a server says by itself, in revisions before 2026-07-28. While the gateway refuses the device it asks again, so that the stream goes on once
/// an operator has approved the device.
/// </summary>
internal sealed class StandingStream(McpConnection connection, McpSession session)
{
    private static readonly TimeSpan Refused = TimeSpan.FromSeconds(2);

    private string? _lastEventId;
    private TimeSpan _pause = McpLimits.FirstPause;
    private bool _hasBeenThere;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ReadOnceAsync(cancellationToken))
                await Task.Delay(_pause, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Another session has its own, or the program ends.
        }
    }

    /// <summary>Whether to ask again.</summary>
    private async Task<bool> ReadOnceAsync(CancellationToken cancellationToken)
    {
        McpAnswer? answer = null;
        try
        {
            using HttpResponseMessage response = await connection.GetAsync(session, _lastEventId, cancellationToken);
            if (response.IsSuccessStatusCode)
                _hasBeenThere = true;
            if (response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType == "text/event-stream")
            {
                answer = new McpAnswer(response);
                await foreach (McpMessage message in answer.ReadAsync(cancellationToken))
                {
                    _pause = McpLimits.FirstPause;
                    await connection.DeliverAsync(message.Utf8);
                }
            }
            else if (session.Id is not null && _hasBeenThere && await McpConnection.IsSessionLostAsync(response, cancellationToken))
            {
                await connection.BeginAnotherAsync(session, cancellationToken); // it has a stream of its own
                return false;
            }
            else
            {
                return false; // 405, or 404 from the beginning: the server has none
            }
        }
        catch (McpFailure e) when (e.Problem is not null)
        {
            _pause = e.Problem.IsRetryable == false ? McpLimits.LongestPause : e.Problem.RetryAfter ?? Refused;
            return true;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or McpFailure)
        {
            // The pause below is all that can be done.
        }

        _lastEventId = answer?.LastEventId ?? _lastEventId;
        _pause = answer?.Reconnect ?? McpLimits.After(_pause, McpLimits.LongestPause);
        return true;
    }
}
