using System.CommandLine;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway audit</c></summary>
internal static class AuditCommand
{
    private const int DefaultLimit = 50;

    private static readonly Option<string?> Kind = new("--kind") { Description = "Only entries of this kind, as in device-removed", HelpName = "kind" };
    private static readonly Option<string?> Device = new("--device") { Description = "Only those about the device with this id, or its beginning", HelpName = "id" };
    private static readonly Option<string?> Operator = new("--operator") { Description = "Only what this operator did", HelpName = "name" };
    private static readonly Option<int> Limit = new("--limit") { Description = "How many at most", DefaultValueFactory = _ => DefaultLimit, HelpName = "count" };
    private static readonly Option<bool> Follow = new("--follow", "-f") { Description = "Go on with what happens from now on, a line each, until stopped" };

    public static Command Build()
    {
        Kind.CompletionSources.Add([.. AuditKinds.All]);
        return OperatorCommand.New("audit", "What happened, newest first", RunAsync, Kind, Device, OperatorCommand.AudienceFilter, Operator, Limit, Follow);
    }

    private static async Task RunAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        var filter = new AuditFilter(parsed.GetValue(Kind), Device: null, parsed.GetValue(Operator)) { Audience = OperatorCommand.ReadAudience(parsed, OperatorCommand.AudienceFilter) };
        if (parsed.GetValue(Device) is { } given)
            filter = filter with { Device = DeviceAuth.Pairing.DeviceId.Parse(await DeviceCommands.ResolveAsync(client, given, cancellationToken)) };
        if (parsed.GetValue(Follow))
            await FollowAsync(client, parsed, filter, cancellationToken);
        else
            await ListAsync(client, parsed, filter, cancellationToken);
    }

    private static async Task ListAsync(AdminClient client, ParseResult parsed, AuditFilter filter, CancellationToken cancellationToken)
    {
        int limit = parsed.GetValue(Limit);
        if (limit < 1)
            throw new CommandFailedException(ExitCodes.Usage, "--limit is a number from 1 on");
        string query = string.Join('&', new[] { ("kind", filter.Kind), ("device", filter.Device?.ToString()), ("operator", filter.Operator), ("audience", filter.Audience?.ToString()) }
            .Where(f => f.Item2 is not null).Select(f => $"{f.Item1}={Uri.EscapeDataString(f.Item2!)}"));
        IReadOnlyList<JsonElement> entries = await client.ListAsync(
            "admin/v1/audit" + (query.Length > 0 ? "?" + query : ""), AdminJson.Answer<PageView<JsonElement>>(), cancellationToken, limit);
        OperatorCommand.Print(parsed, new PageView<JsonElement>(entries, Next: null), AdminJson.Answer<PageView<JsonElement>>(indented: true), () =>
        {
            Table table = Tables.New("TIME", "WHAT", "WHO", "DEVICE", "ABOUT");
            foreach (AuditEntry e in entries.Select(AuditJson.Read))
                table.AddTextRow(Cells(e));
            Tables.Write(table);
        });
    }

    private static async Task FollowAsync(AdminClient client, ParseResult parsed, AuditFilter filter, CancellationToken cancellationToken)
    {
        await foreach (FeedItem item in new EventFeed(client).ReadAsync(cancellationToken))
        {
            if (item is FeedItem.Away away)
                await Console.Error.WriteLineAsync(PlainText.Of(away.Reason));
            if (item is not FeedItem.Happened { Entry: var entry } || !filter.Matches(entry))
                continue;
            OperatorCommand.Print(parsed, entry, AuditJson.Entry, () => Console.Out.WriteLine(PlainText.Of(string.Join("  ", Cells(entry)))));
        }
    }

    private static string[] Cells(AuditEntry e) =>
    [
        Tables.Time(e.Time),
        e.Uncertain ? e.Kind + " (perhaps)" : e.Kind,
        e.Operator ?? (e.Rule is null ? "-" : "rule " + e.Rule),
        e.DeviceId?.Fingerprint ?? (e.User is { } user ? $"user {user}" : "-"),
        string.Join(", ", About(e)),
    ];

    private static string KeyOf(AuditEntry e) => new DeviceAuth.Pairing.GrantKey(e.Audience, e.Role!).ToString();

    private static IEnumerable<string> About(AuditEntry e)
    {
        if (e.Role is not null)
            yield return (e.Scopes is { Count: > 0 } scopes ? $"{KeyOf(e)}: {scopes}" : KeyOf(e)) + (e.MoreScopes > 0 ? $" and {e.MoreScopes} more scopes" : "");
        if (e.Count > 0)
            yield return $"{e.Count} within a minute";
        if (e.Until is { } until)
            yield return $"until {Tables.Time(until)}";
        if (e.RequestId is { } request)
            yield return $"request {request}";
        if (e.Reason is not null)
            yield return e.CloseCode is { } code ? $"{code} {e.Reason}" : e.Reason;
        if (e.Note is not null)
            yield return $"\"{e.Note}\"";
        if (e.Address is not null)
            yield return $"from {e.Address}";
    }
}
