using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway sessions list</c></summary>
internal static class SessionCommands
{
    private static readonly Option<string?> Device = new("--device") { Description = "Only those of the device with this id, or its beginning", HelpName = "id" };

    public static Command Build() => new("sessions", "Connections of devices")
    {
        OperatorCommand.New("list", "Those that are live at this gateway, oldest first", ListAsync, Device),
    };

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string path = "admin/v1/sessions";
        if (parsed.GetValue(Device) is { } given)
            path += "?device=" + await DeviceCommands.ResolveAsync(client, given, cancellationToken);
        IReadOnlyList<SessionView> sessions = await client.ListAsync(path, AdminJsonContext.Default.PageViewSessionView, cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
        {
            JsonOutput.Write(new PageView<SessionView>(sessions, Next: null), JsonOutput.Admin.PageViewSessionView);
            return;
        }

        if (sessions.Count == 0)
        {
            Console.Out.WriteLine("Nobody is connected.");
            return;
        }

        Table table = Tables.New("DEVICE", "NAME", "IS", "FROM", "SINCE", "UNTIL");
        foreach (SessionView s in sessions)
        {
            table.AddTextRow(
                s.DeviceId.Fingerprint,
                Tables.Name(s.Client),
                $"{s.Role}: {Tables.Scopes(s.Scopes)}",
                s.Locality == LocalityKind.Loopback ? "loopback" : s.Address ?? "unknown",
                Tables.Time(s.StartedAt),
                Tables.Time(s.EndsAt));
        }

        Tables.Write(table);
    }
}
