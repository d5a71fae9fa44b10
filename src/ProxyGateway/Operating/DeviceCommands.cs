using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Operating.Importing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway devices ...</c></summary>
internal static class DeviceCommands
{
    private static readonly Argument<string> Id = new("id") { Description = "The device's id, or its beginning" };

    public static Command Build() => new("devices", "Devices that were approved")
    {
        OperatorCommand.New("list", "All of them", ListAsync),
        OperatorCommand.New("show", "One of them", ShowAsync, Id),
        OperatorCommand.New("remove", "Take everything away from a device and close its connections; no rule pairs it again", RemoveAsync, Id),
        ImportCommand.Build(),
    };

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        IReadOnlyList<DeviceView> devices = await client.ListDevicesAsync(cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
        {
            JsonOutput.Write(new PageView<DeviceView>(devices, Next: null), JsonOutput.Admin.PageViewDeviceView);
            return;
        }

        if (devices.Count == 0)
        {
            Console.Out.WriteLine("No device is approved.");
            return;
        }

        Table table = Tables.New("DEVICE", "NAME", "MAY BE", "LAST SEEN");
        foreach (DeviceView d in devices)
        {
            table.AddTextRow(
                d.Id.ToString()[..16],
                Tables.Name(d.Client),
                string.Join("; ", d.Grants.Select(g => $"{g.Key}: {Tables.Scopes(g.Value.Scopes)}")),
                Tables.Time(d.LastSeenAt));
        }

        Tables.Write(table);
    }

    private static async Task ShowAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        DeviceView device = await client.GetDeviceAsync(await ResolveAsync(client, parsed, cancellationToken), cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
        {
            JsonOutput.Write(device, JsonOutput.Admin.DeviceView);
            return;
        }

        Table table = Tables.New("", "");
        table.HideHeaders();
        table.AddTextRow("device", device.Id.ToString());
        table.AddTextRow("public key", device.PublicKey);
        table.AddTextRow("says it is", $"{Tables.Name(device.Client)}, {device.Client.Id ?? "-"}, {device.Client.Mode ?? "-"}");
        foreach ((string role, Grant grant) in device.Grants)
        {
            string by = grant.ApprovedBy ?? (grant.Rule is null ? "nobody on record" : $"rule {grant.Rule}");
            table.AddTextRow("may be", $"{role}: {Tables.Scopes(grant.Scopes)} (by {by}, {Tables.Time(grant.ApprovedAt)})");
        }

        table.AddTextRow("first seen", Tables.Time(device.CreatedAt));
        table.AddTextRow("last seen", Tables.Time(device.LastSeenAt));
        Tables.Write(table);
    }

    private static async Task RemoveAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = await ResolveAsync(client, parsed, cancellationToken);
        await client.RemoveDeviceAsync(id, cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
            JsonOutput.Write(new RemovedDevice(id, Removed: true), ClientJsonContext.Default.RemovedDevice);
        else
            Console.Out.WriteLine($"Removed. Device {id} is disconnected, and needs an operator's approval to come back.");
    }

    private static async Task<string> ResolveAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = parsed.GetRequiredValue(Id);
        return DeviceId.TryParse(id, out _)
            ? id
            : IdPrefix.Resolve(id, "device", "devices list", (await client.ListDevicesAsync(cancellationToken)).Select(d => d.Id.ToString()));
    }
}
