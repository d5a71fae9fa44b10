using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Operating.Importing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway devices ...</c>: reading them. <see cref="DeviceChangeCommands"/> changes them.</summary>
internal static class DeviceCommands
{
    private const string Path = "admin/v1/devices";

    private static readonly Argument<string> Id = new("id") { Description = "The device's id, its fingerprint, or the beginning of either" };

    public static Command Build()
    {
        var devices = new Command("devices", "Devices that were approved, and blocked ones")
        {
            OperatorCommand.New("list", "All of them", ListAsync, OperatorCommand.AudienceFilter),
            OperatorCommand.New("show", "One of them", ShowAsync, Id),
        };
        foreach (Command change in DeviceChangeCommands.Build())
            devices.Add(change);
        devices.Add(ImportCommand.Build());
        devices.Add(OperatorCommand.New("export", "What is approved, as 'devices import' takes it; nothing in it is secret", ExportAsync));
        return devices;
    }

    public static Task<DeviceView> GetAsync(AdminClient client, string id, CancellationToken cancellationToken) =>
        client.GetAsync($"{Path}/{id}", AdminJson.Answer<DeviceView>(), cancellationToken);

    /// <summary>The device; null if nothing is approved for it any more.</summary>
    public static Task<DeviceView?> FindAsync(AdminClient client, DeviceId id, CancellationToken cancellationToken) =>
        client.FindAsync($"{Path}/{id}", AdminJson.Answer<DeviceView>(), cancellationToken);

    public static Task<IReadOnlyList<DeviceView>> ListAsync(AdminClient client, CancellationToken cancellationToken, string query = "") =>
        client.ListAsync(Path + query, AdminJson.Answer<PageView<DeviceView>>(), cancellationToken);

    /// <summary>The one device with this id, this fingerprint, or a beginning of either.</summary>
    /// <param name="client">The client for looking devices up.</param>
    /// <param name="id">The operator's input.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <param name="minDigits">How many digits it must have. If the device gains something, those of a fingerprint: an attacker can make a
    /// key whose id begins like another's.</param>
    public static async Task<string> ResolveAsync(
        AdminClient client, string id, CancellationToken cancellationToken, int minDigits = IdPrefix.MinLength)
    {
        if (DeviceId.TryParse(id, out _))
            return id;
        IReadOnlyList<DeviceView> devices = await ListAsync(client, cancellationToken);
        return IdPrefix.Resolve(id.Replace("-", "", StringComparison.Ordinal), "device", "devices list", devices.Select(d => d.Id.ToString()), minDigits);
    }

    public static void Print(ParseResult parsed, DeviceView device) =>
        OperatorCommand.Print(parsed, device, AdminJson.Answer<DeviceView>(indented: true), () => Tables.Write(Describe(device)));

    /// <summary>All details of a device.</summary>
    private static Table Describe(DeviceView device)
    {
        Table table = Tables.New("", "");
        table.HideHeaders();
        table.AddTextRow("device", device.Id.ToString());
        table.AddTextRow("fingerprint", device.Id.Fingerprint);
        if (device.NewerFormat is { } format)
        {
            table.AddTextRow("not admitted", NewerFormat(format));
            return table;
        }

        table.AddTextRow("public key", device.PublicKey ?? "not known");
        if (device.Label is not null)
            table.AddTextRow("label", device.Label);
        table.AddTextRow("says it is", $"{Tables.Name(device.Client)}, {device.Client.Id ?? "-"}, {device.Client.Mode ?? "-"}");
        if (device.Block is { } block)
            table.AddTextRow("blocked", $"by {block.By}, {Tables.Time(block.At)}{(block.Reason is null ? "" : ": " + block.Reason)}");
        foreach ((GrantKey key, Grant grant) in device.Grants)
        {
            table.AddTextRow("may be", $"{key}: {Tables.Grant(grant)} (by {Tables.Approvers(grant)}, {Tables.Time(grant.ApprovedAt)})");
        }

        table.AddTextRow("first seen", Tables.Time(device.CreatedAt));
        table.AddTextRow("last seen", Tables.Time(device.LastSeenAt));
        return table;
    }

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken) => OperatorCommand.PrintList(
        parsed,
        await ListAsync(client, cancellationToken, OperatorCommand.AudienceQuery(parsed)),
        AdminJson.Answer<PageView<DeviceView>>(indented: true),
        "No device is approved.",
        ["DEVICE", "NAME", "MAY BE", "LAST SEEN"],
        device =>
        {
            if (device.NewerFormat is { } format)
                return [device.Id.Fingerprint, "-", NewerFormat(format), "-"];
            string grants = string.Join("; ", device.Grants.Select(g => $"{g.Key}: {Tables.Grant(g.Value)}"));
            return [device.Id.Fingerprint, Tables.Name(device), device.Block is null ? grants : $"BLOCKED {grants}".Trim(), Tables.Time(device.LastSeenAt)];
        });

    private static async Task ShowAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken) =>
        Print(parsed, await GetAsync(client, await ResolveAsync(client, parsed.GetRequiredValue(Id), cancellationToken), cancellationToken));

    // Without blocked devices: where they were imported, they would be admitted.
    private static async Task ExportAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        IReadOnlyList<DeviceView> devices = await ListAsync(client, cancellationToken);
        ExportedDevice[] exported =
        [
            .. devices.Where(d => d is { Block: null, PublicKey: not null } && (d.Legacy == true || !d.Grants.IsEmpty)).Select(d => new ExportedDevice(
                d.Id.ToString(),
                d.PublicKey!,
                d.Grants.ToDictionary(g => g.Key.ToString(), g => new ImportGrantBody { Scopes = g.Value.Scopes!, Until = g.Value.Until!, Parts = Parts(g.Value)! }),
                d.Grants.Keys.Any(key => key.Audience.IsDefault) ? null : d.Legacy,
                d.Label,
                d.Client)),
        ];
        if (devices.Count(d => d.NewerFormat is not null) is > 0 and var newer)
            Console.Error.WriteLine($"{newer} left out: a newer gateway wrote what is on record of them. Export at a newer gateway.");
        JsonOutput.Write(new ExportedDevices(exported), ClientJsonContext.Default.ExportedDevices);
    }

    private static string NewerFormat(int format) =>
        $"by this gateway: a newer one wrote its document (format {format}); upgrade this gateway";

    private static ImportPartsBody? Parts(Grant grant) => grant.GetRoleRule() is null && grant.GetRuleScopes().IsEmpty
        ? null
        : new ImportPartsBody { Rules = grant.GetRuleScopes(), Role = grant.GetRoleRule()! };
}
