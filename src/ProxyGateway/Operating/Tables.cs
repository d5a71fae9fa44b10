using System.Globalization;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary>Tables for people. Every cell is text, never markup: devices choose their names.</summary>
internal static class Tables
{
    private const int WidthOfNoTerminal = 1000;

    public static Table New(params ReadOnlySpan<string> columns)
    {
        var table = new Table { Border = TableBorder.None };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { Padding = new Padding(0, 0, 2, 0) });
        table.Columns[0].NoWrap();
        return table;
    }

    public static void AddTextRow(this Table table, params IEnumerable<string?> cells) =>
        table.AddRow(cells.Select(c => new Text(PlainText.Of(c))));

    public static void Write(Table table)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings());
        if (Console.IsOutputRedirected)
            console.Profile.Width = WidthOfNoTerminal;
        console.Write(table);
    }

    /// <summary>The name of a device: its label, or else its own name.</summary>
    public static string Name(DeviceView device) => device.Label is { } label ? $"\"{label}\"" : Name(device.Client);

    public static string Name(ClientDescription client)
    {
        string name = client.DisplayName ?? client.Id ?? "-";
        return client.Platform is null ? name : $"{name} ({client.Platform})";
    }

    public static string Grant(Grant grant) => Scopes(grant.Scopes) + (grant.Until is { } until ? $", until {Time(until)}" : "");

    /// <summary>The approvers, as in <c>ops; rule office: operator.write</c>.</summary>
    public static string Approvers(Grant grant)
    {
        if (grant.Parts is not { } parts)
            return grant.ApprovedBy ?? (grant.Rule is null ? "nobody on record" : $"rule {grant.Rule}");
        string role = grant.GetRoleRule() is { } rule ? $"rule {rule}" : grant.GetOperator() ?? "nobody on record";
        return string.Join("; ", parts.Rules.Where(r => r.Key != grant.GetRoleRule()).Select(r => $"rule {r.Key}: {r.Value}").Prepend(role));
    }

    public static string Scopes(ScopeSet? scopes) => scopes is not { Count: > 0 } ? "(none)" : scopes.ToString();

    public static string Time(DateTimeOffset? time) =>
        time?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "-";

    public static string In(DateTimeOffset time)
    {
        TimeSpan left = time - TimeProvider.System.GetUtcNow();
        return left <= TimeSpan.Zero ? "now" : left < TimeSpan.FromMinutes(1) ? $"in {left.Seconds} s" : $"in {(int)left.TotalMinutes} min";
    }
}
