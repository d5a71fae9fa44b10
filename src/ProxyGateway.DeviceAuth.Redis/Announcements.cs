using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The channel on which scripts announce changed documents. Redis keeps no message for an absent subscriber, so a subscription counts only
/// while messages that this process sends to the channel come back by it.
/// </summary>
internal sealed class Announcements(RedisConnection redis, Keys keys, RegistryMark mark, TimeSpan timeout, ILogger logger)
{
    private const string SignOfLife = "alive ";
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);

    private readonly RedisChannel _channel = RedisChannel.Literal(keys.Changes.ToString());

    /// <inheritdoc cref="IDeviceStore.ListenAsync"/>
    public async IAsyncEnumerable<Announcement> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var heard = Channel.CreateUnbounded<Announcement>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task following = FollowAsync(heard.Writer, stop.Token);
        try
        {
            await foreach (Announcement announcement in heard.Reader.ReadAllAsync(cancellationToken))
            {
                yield return announcement;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await following;
        }
    }

    private async Task FollowAsync(ChannelWriter<Announcement> heard, CancellationToken cancellationToken)
    {
        Exception? end = null;
        try
        {
            while (true)
            {
                if (await TryFollowAsync(heard, cancellationToken))
                    Log.AnnouncementsLost(logger);
                await Task.Delay(RetryAfter, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The listener has stopped.
        }
        catch (Exception e)
        {
            end = e;
        }

        heard.Complete(end);
    }

    /// <summary>Follows one subscription until announcements may have been lost. False if it never received any.</summary>
    private async Task<bool> TryFollowAsync(ChannelWriter<Announcement> heard, CancellationToken cancellationToken)
    {
        bool isProven = false;
        var messages = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });
        ISubscriber? subscriber = null;
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        redis.SubscriptionLost += Cancel;
        try
        {
            await redis.RunAsync(
                async database =>
                {
                    subscriber = database.Multiplexer.GetSubscriber();
                    await subscriber.SubscribeAsync(_channel, Hear, RedisConnection.Primary);
                    return true;
                },
                new Deadline(timeout),
                lost.Token);
            while (await ProvesItselfAsync(messages.Reader, isProven ? heard : null, lost.Token))
            {
                if (!isProven)
                {
                    isProven = true;
                    Log.AnnouncementsHeard(logger);
                    heard.TryWrite(new Announcement.Resumed());
                }

                // Another gateway's sign of life proves the subscription too, so the first gateway that has heard nothing sends one for
                // all.
                heard.TryWrite(new Announcement.Alive());
                while (await ReadAsync(messages.Reader, Silence(), lost.Token) is { } message)
                {
                    await mark.RenewAsync(new Deadline(timeout), lost.Token);
                    heard.TryWrite(Parse(message));
                }

                await mark.RenewAsync(new Deadline(timeout), lost.Token);
            }

            return isProven;
        }
        catch (Exception e) when (e is RegistryUnavailableException or ChannelClosedException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return isProven;
        }
        finally
        {
            redis.SubscriptionLost -= Cancel;

            // The client library keeps a subscription that failed or was too slow, and would deliver to it for ever once the connection is
            // back.
            if (subscriber is not null)
                await subscriber.UnsubscribeAsync(_channel, Hear, CommandFlags.FireAndForget);
        }

        void Cancel() => lost.Cancel();

        void Hear(RedisChannel channel, RedisValue message) => messages.Writer.TryWrite(message.ToString());
    }

    /// <summary>
    /// Sends a sign of life and waits until it comes back. Announcements that arrive before it are passed on if there is a listener.
    /// </summary>
    private async Task<bool> ProvesItselfAsync(
        ChannelReader<string> messages, ChannelWriter<Announcement>? heard, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(timeout);
        await mark.RenewAsync(deadline, cancellationToken);
        // a gateway that does not understand the registry must not count as fresh: then it admits nobody
        await mark.EnsureAsync(deadline, cancellationToken);
        string sign = SignOfLife + RandomNumberGenerator.GetHexString(16);
        await redis.RunAsync(database => database.PublishAsync(_channel, sign, RedisConnection.Primary), deadline, cancellationToken);
        while (await ReadAsync(messages, deadline.Remaining, cancellationToken) is { } message)
        {
            if (message == sign)
                return true;
            heard?.TryWrite(Parse(message));
        }

        return false;
    }

    private static async Task<string?> ReadAsync(ChannelReader<string> messages, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(patience);
        try
        {
            return await messages.ReadAsync(enough.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>
    /// Reads a message. A newer gateway's may have more members than a device and its version. A message of unknown form may announce a
    /// restriction, so all versions are compared.
    /// </summary>
    internal static Announcement Parse(string message) => message.Split(' ') switch
    {
        [var id, var version, ..] when DeviceId.TryParse(id, out DeviceId device) => new Announcement.Changed(device, version),
        _ when message.StartsWith(SignOfLife, StringComparison.Ordinal) => new Announcement.Alive(),
        _ => new Announcement.Resumed(),
    };

    // Differs between gateways, or all would send a sign of life at once.
    private static TimeSpan Silence() => TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(750, 1250));
}
