using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The channel on which scripts announce changed documents. Redis keeps nothing of it for who does not listen, so a subscription
/// counts only while it proves itself: a message that was sent to the channel comes back by it.
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
            // whoever listened has enough
        }
        catch (Exception e)
        {
            end = e;
        }

        heard.Complete(end);
    }

    /// <summary>One subscription, until announcements may have been lost. False if it never heard any.</summary>
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

                // Other gateways' signs of life are as good as our own, so whoever has heard nothing first gives one for all.
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

            // One that failed, or was too slow, is on record with the connection all the same, and would hear everything for ever once that is back.
            if (subscriber is not null)
                await subscriber.UnsubscribeAsync(_channel, Hear, CommandFlags.FireAndForget);
        }

        void Cancel() => lost.Cancel();

        void Hear(RedisChannel channel, RedisValue message) => messages.Writer.TryWrite(message.ToString());
    }

    /// <summary>Sends a sign of life, and waits until it comes back. What comes before it is told, if anybody is to hear it.</summary>
    private async Task<bool> ProvesItselfAsync(ChannelReader<string> messages, ChannelWriter<Announcement>? heard, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(timeout);
        await mark.RenewAsync(deadline, cancellationToken);
        await mark.EnsureAsync(deadline, cancellationToken); // what is not understood is not heard: nobody is admitted then
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
    /// What a message says. A newer gateway's may say more than a device and its version. One that this version does not know may say that something
    /// was taken from a device, so all versions are compared.
    /// </summary>
    internal static Announcement Parse(string message) => message.Split(' ') switch
    {
        [var id, var version, ..] when DeviceId.TryParse(id, out DeviceId device) => new Announcement.Changed(device, version),
        _ when message.StartsWith(SignOfLife, StringComparison.Ordinal) => new Announcement.Alive(),
        _ => new Announcement.Resumed(),
    };

    // Not the same for all gateways, or all would give a sign of life at once.
    private static TimeSpan Silence() => TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(750, 1250));
}
