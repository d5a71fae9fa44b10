using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

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
        IReadOnlyList<SessionView> sessions = await client.ListAsync(path, AdminJson.Answer<PageView<SessionView>>(), cancellationToken);
        OperatorCommand.PrintList(
            parsed,
            sessions,
            AdminJson.Answer<PageView<SessionView>>(indented: true),
            "Nobody is connected.",
            ["DEVICE", "NAME", "IS", "FROM", "SINCE", "UNTIL"],
            s =>
            [
                s.DeviceId.Fingerprint,
                Tables.Name(s.Client),
                $"{s.Role}: {Tables.Scopes(s.Scopes)}",
                s.Locality == LocalityKind.Loopback ? "loopback" : s.Address ?? "unknown",
                Tables.Time(s.StartedAt),
                Tables.Time(s.EndsAt),
            ]);
    }
}
