using System.CommandLine;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway requests watch</c>: shows requests as devices make them; at a terminal a key press decides.</summary>
internal static class WatchCommand
{
    private static readonly TimeSpan KeyPause = TimeSpan.FromMilliseconds(50);

    public static Command Build() => OperatorCommand.New(
        "watch",
        "Show requests as they come. At a terminal: a approves, s approves fewer scopes, r rejects, space leaves it, q ends. Else: a line each, until stopped",
        RunAsync);

    private static async Task RunAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var requests = Channel.CreateUnbounded<RequestView>();
        Task feeding = FeedAsync(client, requests.Writer, end.Token);
        bool isJson = parsed.GetValue(OperatorCommand.JsonOption);
        bool isAtTerminal = !isJson && !Console.IsInputRedirected && !Console.IsOutputRedirected;
        if (isAtTerminal)
            Console.Out.WriteLine("Waiting for devices that ask. q ends.");
        try
        {
            while (await WaitAsync(requests.Reader, isAtTerminal, end.Token))
            {
                if (!requests.Reader.TryRead(out RequestView? request))
                    continue;
                if (isJson)
                    JsonOutput.Write(request, AdminJson.Answer<RequestView>());
                else if (!isAtTerminal)
                    Console.Out.WriteLine(Line(request));
                else if (!await DecideAsync(client, request, end.Token))
                    break;
            }
        }
        finally
        {
            await end.CancelAsync();
        }

        await feeding;
    }

    /// <summary>Passes on every open request once.</summary>
    private static async Task FeedAsync(AdminClient client, ChannelWriter<RequestView> requests, CancellationToken cancellationToken)
    {
        var known = new HashSet<RequestId>();
        try
        {
            await foreach (FeedItem item in new EventFeed(client).ReadAsync(cancellationToken))
            {
                switch (item)
                {
                    case FeedItem.Away away:
                        await Console.Error.WriteLineAsync(PlainText.Of(away.Reason));
                        break;
                    case FeedItem.Resumed:
                    case FeedItem.Happened { Entry.Kind: AuditKinds.RequestOpened }:
                        IReadOnlyList<RequestView> open = await RequestCommands.ListAsync(client, cancellationToken);
                        foreach (RequestView request in open.Reverse().Where(r => known.Add(r.Id)))
                            requests.TryWrite(request);
                        known.IntersectWith(open.Select(r => r.Id)); // or it would grow for as long as this runs
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
        catch (CommandFailedException e)
        {
            requests.TryComplete(e);
            return;
        }

        requests.TryComplete();
    }

    /// <summary>Waits for a request; false if no more come, or the operator quits.</summary>
    private static async Task<bool> WaitAsync(ChannelReader<RequestView> requests, bool isAtTerminal, CancellationToken cancellationToken)
    {
        Task<bool> waiting = requests.WaitToReadAsync(cancellationToken).AsTask();
        while (isAtTerminal && !waiting.IsCompleted)
        {
            if (Console.KeyAvailable && char.ToLowerInvariant(Console.ReadKey(intercept: true).KeyChar) == 'q')
                return false;
            await Task.WhenAny(waiting, Task.Delay(KeyPause, cancellationToken));
        }

        return await waiting;
    }

    /// <summary>Shows a request and lets the operator decide; false if the operator quits.</summary>
    private static async Task<bool> DecideAsync(AdminClient client, RequestView request, CancellationToken cancellationToken)
    {
        Console.Out.WriteLine();
        Tables.Write(RequestText.Of(request, await RequestCommands.OthersAsync(client, request, cancellationToken)));
        while (Console.KeyAvailable)
            Console.ReadKey(intercept: true); // pressed before the request was shown
        while (true)
        {
            Console.Out.Write("[a]pprove  approve [s]ome  [r]eject  [space] later  [q]uit > ");
            char key = char.ToLowerInvariant(await ReadKeyAsync(cancellationToken));
            Console.Out.WriteLine(char.IsControl(key) ? ' ' : key);
            try
            {
                switch (key)
                {
                    case 'a':
                        Approved(await RequestCommands.ApproveAsync(client, request.Id.ToString(), new ApprovalBody(), cancellationToken), request);
                        return true;
                    case 's':
                        Console.Out.Write($"Which of {Tables.Scopes(request.Scopes)}? ");
                        ScopeSet scopes = OperatorCommand.ScopesIn((Console.In.ReadLine() ?? "").Replace(' ', ','));
                        if (scopes.Count == 0)
                            continue; // an empty input does not mean the role without scopes
                        Approved(await RequestCommands.ApproveAsync(client, request.Id.ToString(), new ApprovalBody { Scopes = scopes }, cancellationToken), request);
                        return true;
                    case 'r':
                        await RequestCommands.RejectAsync(client, request.Id.ToString(), cancellationToken);
                        Console.Out.WriteLine("Rejected.");
                        return true;
                    case ' ':
                    case '\r':
                    case '\n':
                        return true;
                    case 'q':
                        return false;
                }
            }
            catch (CommandFailedException e)
            {
                // another operator may have been first; the request is shown again if it is open
                Console.Out.WriteLine(PlainText.Of(e.Message));
                if (e.ExitCode == ExitCodes.Unreachable || (await RequestCommands.GetAsync(client, request.Id.ToString(), cancellationToken)).Status != PairingRequestStatus.Open)
                    return true;
            }
        }
    }

    private static void Approved(DeviceView device, RequestView request) =>
        Console.Out.WriteLine($"Approved. {PlainText.Of(RequestText.KeyOf(request).ToString())}: {Tables.Grant(device.Grants[RequestText.KeyOf(request)])}");

    private static async Task<char> ReadKeyAsync(CancellationToken cancellationToken)
    {
        while (!Console.KeyAvailable)
            await Task.Delay(KeyPause, cancellationToken);
        return Console.ReadKey(intercept: true).KeyChar;
    }

    private static string Line(RequestView r) => PlainText.Of(
        $"{r.Id}  {r.DeviceId.Fingerprint}  {Tables.Name(r.Client)}  {RequestText.KeyOf(r)}: {RequestText.Scopes(r)}  {r.Reason.ToWireName()}  {RequestText.From(r)}");
}
