using System.Globalization;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary>Tables for people, and the texts in them.</summary>
internal static class Tables
{
    private const int WidthOfNoTerminal = 1000;

    /// <summary>Adds a row. Devices choose their names: nothing in a cell moves the cursor.</summary>
    public static void AddTextRow(this TextTable table, params IEnumerable<string?> cells) => table.Add([.. cells.Select(c => PlainText.Of(c))]);

    public static void Write(TextTable table)
    {
        if (Console.IsOutputRedirected)
            table.Write(Console.Out, WidthOfNoTerminal, isBold: false);
        else
            table.Write(Console.Out, Console.WindowWidth is > 0 and int width ? width : WidthOfNoTerminal, isBold: Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb"));
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
