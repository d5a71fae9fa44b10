using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>The messages in a response of the server's: one as JSON, or any number as events.</summary>
internal sealed class McpAnswer(HttpResponseMessage response)
{
    /// <summary>The last event's id, by which the rest can be asked for; null if the server gives none.</summary>
    public string? LastEventId { get; private set; }

    /// <summary>How long the server wants clients to wait before that.</summary>
    public TimeSpan? Reconnect { get; private set; }

    /// <summary>Reads them as they come.</summary>
    /// <exception cref="IOException">The connection is lost.</exception>
    /// <exception cref="HttpRequestException">The connection is lost.</exception>
    /// <exception cref="McpFailure">The response has no messages, or too long ones.</exception>
    public async IAsyncEnumerable<McpMessage> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        switch (response.Content.Headers.ContentType?.MediaType)
        {
            case "text/event-stream":
                await using (Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken))
                {
                    SseParser<byte[]> events = SseParser.Create(new BoundedEvents(stream), static (_, data) => data.ToArray());
                    await foreach (SseItem<byte[]> item in events.EnumerateAsync(cancellationToken))
                    {
                        if (events.LastEventId.Length > 0)
                            LastEventId = events.LastEventId;
                        if (events.ReconnectionInterval >= TimeSpan.Zero)
                            Reconnect = TimeSpan.FromTicks(Math.Clamp(events.ReconnectionInterval.Ticks, McpLimits.ShortestPause.Ticks, McpLimits.LongestPause.Ticks));

                        // Without data: only the id is of interest.
                        if (item.EventType == SseParser.EventTypeDefault && item.Data.Length > 0 && McpMessage.Parse(item.Data) is { } message)
                            yield return message;
                    }
                }

                break;
            case "application/json":
                yield return McpMessage.Parse(await BodyAsync(response, cancellationToken)) ?? throw McpFailure.NoAnswer("The server's answer is no JSON-RPC message");
                break;
            default:
                throw McpFailure.NoAnswer($"The server answers {(int)response.StatusCode} with {response.Content.Headers.ContentType?.MediaType ?? "nothing"}, and neither JSON nor events");
        }
    }

    /// <summary>The whole body of a response.</summary>
    /// <exception cref="HttpRequestException">The connection is lost, or the body is too long.</exception>
    public static async Task<byte[]> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await response.Content.LoadIntoBufferAsync(McpLimits.MessageBytes, cancellationToken);
        return await response.Content.ReadAsByteArrayAsync(cancellationToken);
    }
}
