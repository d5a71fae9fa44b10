using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Operating;

/// <summary>The events of the gateways, until cancelled; also after the gateway was down for a while.</summary>
/// <param name="client">The gateway.</param>
internal sealed class EventFeed(AdminClient client)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    private string? _lastId;
    private TimeSpan _pause = FirstPause;

    /// <summary>
    /// Events as they happen. <see cref="FeedItem.Resumed"/> comes first, and again after events may have been missed. If the gateway keeps
    /// no audit, only that comes, every other second.
    /// </summary>
    /// <exception cref="CommandFailedException">The gateway refuses, at first or later.</exception>
    public async IAsyncEnumerable<FeedItem> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        bool isFirst = true;
        while (true)
        {
            HttpResponseMessage? response = null;
            string? trouble = null;
            try
            {
                response = await client.OpenEventsAsync(_lastId, cancellationToken);
            }
            catch (CommandFailedException e) when (e.ExitCode == ExitCodes.Unreachable && !isFirst)
            {
                trouble = e.Message;
            }

            if (trouble is not null)
            {
                yield return new FeedItem.Away(trouble);
                await PauseAsync(cancellationToken);
                continue;
            }

            isFirst = false;
            if (response is null)
            {
                yield return new FeedItem.Resumed();
                await Task.Delay(PollInterval, cancellationToken);
                continue;
            }

            using (response)
            {
                yield return new FeedItem.Resumed();
                await foreach (FeedItem item in ReadAsync(response, cancellationToken))
                    yield return item;
            }

            yield return new FeedItem.Away("The gateway has ended the stream of events");
            await PauseAsync(cancellationToken);
        }
    }

    private async IAsyncEnumerable<FeedItem> ReadAsync(
        HttpResponseMessage response, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await using IAsyncEnumerator<SseItem<string>> items = SseParser.Create(stream).EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (await MoveAsync(items))
        {
            _pause = FirstPause;
            SseItem<string> item = items.Current;
            _lastId = item.EventId is { Length: > 0 } id ? id : _lastId;
            if (item.EventType == "gap")
                yield return new FeedItem.Resumed();
            else if (item.EventType != "ready" && Parse(item.Data) is { } entry)
                yield return new FeedItem.Happened(entry);
        }
    }

    private static async Task<bool> MoveAsync(IAsyncEnumerator<SseItem<string>> items)
    {
        try
        {
            return await items.MoveNextAsync();
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return false;
        }
    }

    private static AuditEntry? Parse(string data)
    {
        try
        {
            using var entry = JsonDocument.Parse(data);
            return AuditJson.Read(entry.RootElement);
        }
        catch (Exception e) when (e is JsonException or RegistryUnavailableException)
        {
            return null; // an event that only a newer gateway knows
        }
    }

    private async Task PauseAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(_pause, cancellationToken);
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
    }
}

/// <summary>An item of an <see cref="EventFeed"/>.</summary>
internal abstract record FeedItem
{
    private FeedItem()
    {
    }

    /// <summary>From here on every event is reported; earlier reads may be out of date.</summary>
    public sealed record Resumed : FeedItem;

    /// <summary>An event.</summary>
    public sealed record Happened(AuditEntry Entry) : FeedItem;

    /// <summary>The gateway cannot be reached now; the feed tries again.</summary>
    public sealed record Away(string Reason) : FeedItem;
}
