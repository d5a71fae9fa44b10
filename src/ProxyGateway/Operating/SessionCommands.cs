using System.CommandLine;
using System.Globalization;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway sessions list|end</c></summary>
internal static class SessionCommands
{
    private static readonly Option<string?> Device = new("--device") { Description = "Only those of the device with this id, or its beginning", HelpName = "id" };
    private static readonly Argument<long> Id = new("id") { Description = "The session's id, as the list shows it" };

    public static Command Build() => new("sessions", "Connections of devices, and of clients without one")
    {
        OperatorCommand.New("list", "Those that are live at this gateway, oldest first", ListAsync, Device, OperatorCommand.AudienceFilter),
        OperatorCommand.New("end", "Close one; its client may come again at once. Block the device, or take the rule away, to keep it out", EndAsync, Id),
    };

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string path = "admin/v1/sessions" + OperatorCommand.AudienceQuery(parsed);
        if (parsed.GetValue(Device) is { } given)
            path += (path.Contains('?', StringComparison.Ordinal) ? "&device=" : "?device=") + await DeviceCommands.ResolveAsync(client, given, cancellationToken);
        IReadOnlyList<SessionView> sessions = await client.ListAsync(path, AdminJson.Answer<PageView<SessionView>>(), cancellationToken);
        OperatorCommand.PrintList(
            parsed,
            sessions,
            AdminJson.Answer<PageView<SessionView>>(indented: true),
            "Nobody is connected.",
            ["ID", "DEVICE", "NAME", "IS", "FROM", "SINCE", "UNTIL"],
            s =>
            [
                s.Id,
                s.DeviceId?.Fingerprint ?? $"no device, user {s.User}",
                Tables.Name(s.Client),
                $"{new GrantKey(s.Audience ?? Audience.Default, s.Role)}: {Tables.Scopes(s.Scopes)}",
                s.Locality == LocalityKind.Loopback ? "loopback" : s.Address ?? "unknown",
                Tables.Time(s.StartedAt),
                Tables.Time(s.EndsAt),
            ]);
    }

    private static async Task EndAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = parsed.GetValue(Id).ToString(CultureInfo.InvariantCulture);
        await client.DeleteAsync("admin/v1/sessions/" + id, cancellationToken);
        OperatorCommand.Print(
            parsed, new EndedSession(id, Ended: true), ClientJsonContext.Default.EndedSession, () => Console.Out.WriteLine($"Session {id} is ended."));
    }
}
