using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// <c>/admin/v1/events</c>: the audit as it grows, as Server-Sent Events (WHATWG HTML §9.2). All gateways on the same registry write one
/// audit, so each of them streams the events of all. An event's id is its entry's, its name the entry's kind, its data the entry. Written
/// by hand, since <c>TypedResults.ServerSentEvents</c> sends no comments, which are the signs of life, and waits for ever for a client that
/// does not read.
/// </summary>
internal static class EventEndpoints
{
    private const int ReadAtOnce = 256;
    private static readonly TimeSpan SignOfLifeInterval = TimeSpan.FromSeconds(15);

    // A client that does not read loses its stream after this time.
    private static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(30);

    public static void Map(RouteGroupBuilder admin) => admin.MapGet("/events", StreamAsync).RequireAuthorization(AdminPolicies.Read)
        .WithTags("audit").Describe(
            "streamEvents",
            "Tells what happens, as it happens, as Server-Sent Events",
            "An event's name is the kind of an audit entry, its id the entry's id, its data the entry as JSON. `ready` comes first and says from which "
            + "id on there will be events; `gap` says that some since Last-Event-ID are not kept any more. The stream ends when the key is withdrawn.")
        .Takes(AdminParameter.LastEventId)
        .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
        .Fails(AdminProblems.InvalidEventId, AdminProblems.AuditOff, AdminProblems.TooManyStreams, AdminProblems.TooManyStreamsOfKey);

    private static async Task<IResult> StreamAsync(
        HttpContext context,
        [FromServices] IAuditStore? audit,
        [FromServices] EventStreams streams,
        [FromServices] AuditTail tail,
        [FromServices] TimeProvider time,
        [FromServices] IHostApplicationLifetime lifetime)
    {
        if (audit is null)
            return AdminProblems.AuditOff;
        if (!TryReadLastEventId(context.Request, out long? last))
            return AdminProblems.InvalidEventId;
        string name = context.Features.GetRequiredFeature<Operator>().Name;
        CancellationToken withdrawn = context.Features.Get<AdminKey>()?.Withdrawn ?? CancellationToken.None;
        if (streams.Enter(name) is { } full)
            return full;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping, withdrawn);
        try
        {
            // Read before anything is sent: then an unavailable registry is answered with a problem.
            long newest = last ?? await NewestAsync(audit, end.Token);
            context.Response.ContentType = "text/event-stream";
            context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            if (last is null)
                await WriteAsync(context, time, Event("ready", newest, "{}"u8), end.Token);
            await FollowAsync(context, audit, tail, time, newest, end.Token);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // the client has left, its key is no longer valid, or the gateway stops
        }
        catch (TimeoutException)
        {
            context.Abort();
        }
        finally
        {
            streams.Leave(name);
        }

        return TypedResults.Empty;
    }

    private static async Task FollowAsync(
        HttpContext context, IAuditStore audit, AuditTail tail, TimeProvider time, long last, CancellationToken cancellationToken)
    {
        bool isTold = false;
        long heardOf = 0;
        long wroteAt = time.GetTimestamp();
        await context.Response.Body.FlushAsync(cancellationToken);
        while (true)
        {
            AuditRange? read = await TryReadAsync(audit, last, cancellationToken);
            if (read is { IsComplete: false } && !isTold)
                await WriteAsync(context, time, Event("gap", id: null, "{}"u8), cancellationToken);
            isTold = read is { IsComplete: false };
            foreach (AuditEntry entry in read?.Items ?? [])
            {
                last = entry.Id;
                byte[] data = JsonSerializer.SerializeToUtf8Bytes(entry, AuditJson.Entry);
                await WriteAsync(context, time, Event(entry.Kind, last, data), cancellationToken);
            }

            if (read is { Items.Count: > 0 })
                wroteAt = time.GetTimestamp();
            if (read is { Items.Count: ReadAtOnce })
                continue;
            if (time.GetElapsedTime(wroteAt) >= SignOfLifeInterval)
            {
                await WriteAsync(context, time, ":\n\n"u8.ToArray(), cancellationToken);
                wroteAt = time.GetTimestamp();
            }

            // An entry that arrived and was trimmed before it was read must not wake this stream again and again.
            if (read is null)
                await Task.Delay(AuditTail.Interval, time, cancellationToken);
            else
                heardOf = await tail.WaitAsync(audit, Math.Max(last, heardOf), SignOfLifeInterval - time.GetElapsedTime(wroteAt), cancellationToken);
        }
    }

    private static async Task<long> NewestAsync(IAuditStore audit, CancellationToken cancellationToken) =>
        (await audit.ListAsync(new AuditFilter(), before: null, limit: 1, cancellationToken)).Items is [var newest, ..] ? newest.Id : 0;

    private static async Task<AuditRange?> TryReadAsync(IAuditStore audit, long after, CancellationToken cancellationToken)
    {
        try
        {
            return await audit.ReadAfterAsync(after, ReadAtOnce, cancellationToken);
        }
        catch (RegistryUnavailableException)
        {
            return null; // later entries are read once the registry is back
        }
    }

    private static bool TryReadLastEventId(HttpRequest request, out long? last)
    {
        string? header = request.Headers["Last-Event-ID"];
        bool isNumber = long.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out long id);
        last = isNumber ? id : null;
        return isNumber || string.IsNullOrEmpty(header);
    }

    private static byte[] Event(string name, long? id, ReadOnlySpan<byte> data)
    {
        var buffer = new ArrayBufferWriter<byte>(data.Length + 64);
        if (id is not null)
            buffer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {id}\n")));
        buffer.Write(Encoding.UTF8.GetBytes($"event: {name}\ndata: "));
        buffer.Write(data);
        buffer.Write("\n\n"u8);
        return buffer.WrittenMemory.ToArray();
    }

    /// <exception cref="TimeoutException">The client does not read.</exception>
    private static async Task WriteAsync(HttpContext context, TimeProvider time, byte[] bytes, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(WriteTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await context.Response.Body.WriteAsync(bytes, either.Token);
            await context.Response.Body.FlushAsync(either.Token);
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("The client does not read.", e);
        }
    }
}
