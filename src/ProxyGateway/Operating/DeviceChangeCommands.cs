using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary>
/// <c>proxygateway devices grant|revoke|remove|label|block|unblock</c>. At a terminal a command that takes something away asks first, and
/// then changes only the version that it has shown.
/// </summary>
internal static class DeviceChangeCommands
{
    private static readonly Argument<string> Id = new("id") { Description = "The device's id, its fingerprint, or the beginning of either" };
    private static readonly Argument<string> WholeId = new("id") { Description = "The device's id or fingerprint" };
    private static readonly Argument<string?> RemovedId = new("id") { Description = "The device's id, its fingerprint, or the beginning of either", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string> Role = new("role") { Description = "The role" };
    private static readonly Argument<string?> Label = new("label") { Description = "What you call it", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Clear = new("--clear") { Description = "Take the label away" };
    private static readonly Option<string?> Reason = new("--reason") { Description = "Why; operators see it, and devices do not", HelpName = "text" };
    private static readonly Option<string?> Rule = new("--rule") { Description = "Everything that this rule has approved, instead of one device", HelpName = "name" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "With --rule: say how many, and change nothing" };

    public static IEnumerable<Command> Build() =>
    [
        OperatorCommand.New(
            "grant", "Set what a device may do in a role, whatever it could do before", GrantAsync, WholeId, Role, OperatorCommand.AudienceOption, OperatorCommand.ScopesOption, GrantEnd.UntilOption, GrantEnd.ForOption),
        OperatorCommand.New("revoke", "Take a role away from a device, and close the connections that use it", RevokeAsync, Id, Role, OperatorCommand.AudienceOption, OperatorCommand.YesOption),
        OperatorCommand.New(
            "remove", "Take everything away from a device and close its connections; no rule pairs it again", RemoveAsync, RemovedId, Rule, DryRun, OperatorCommand.YesOption),
        OperatorCommand.New("label", "Give a device a name of your own", LabelAsync, Id, Label, Clear),
        OperatorCommand.New("block", "Keep a device out, also one that nobody knows yet (by its whole id), and close its connections", BlockAsync, Id, Reason),
        OperatorCommand.New("unblock", "Let a blocked device in again, as far as its grants go", UnblockAsync, WholeId),
    ];

    private static async Task GrantAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        ScopeSet scopes = OperatorCommand.ReadScopes(parsed)
            ?? throw new CommandFailedException(ExitCodes.Usage, "Which --scopes? \"\" for the role alone");
        var grant = new GrantBody { Scopes = scopes, Until = GrantEnd.Read(parsed, TimeProvider.System)! };
        string path = $"{PathOf(await ResolveWholeAsync(client, parsed, cancellationToken))}/grants/{ReadKey(parsed)}";
        DeviceCommands.Print(parsed, await PutAsync(client, path, AdminClient.Json(grant, AdminJson.Body<GrantBody>()), cancellationToken));
    }

    private static async Task RevokeAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        GrantKey key = ReadKey(parsed);
        DeviceView device = await ReadAsync(client, parsed.GetRequiredValue(Id), cancellationToken);
        OperatorCommand.Confirm(parsed, $"Device {device.Id} ({Tables.Name(device)}) loses the role {key}, and the connections that use it.");
        await client.DeleteAsync($"{PathOf(device.Id.ToString())}/grants/{key}", cancellationToken, device.Version);
        await PrintAsync(client, parsed, device.Id, cancellationToken);
    }

    private static async Task RemoveAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string? given = parsed.GetValue(RemovedId);
        string? rule = parsed.GetValue(Rule);
        if ((given is null) == (rule is null))
            throw new CommandFailedException(ExitCodes.Usage, "Name a device, or a --rule");
        if (rule is not null)
        {
            await RuleRemoval.RunAsync(client, parsed, rule, parsed.GetValue(DryRun), cancellationToken);
            return;
        }

        // A device whose document cannot be read can still be removed: that is how to repair it.
        string id = await DeviceCommands.ResolveAsync(client, given!, cancellationToken);
        DeviceView? device = Console.IsInputRedirected ? null : await ReadAsync(client, id, cancellationToken);
        if (device is not null)
            OperatorCommand.Confirm(parsed, $"Device {id} ({Tables.Name(device)}) loses everything and is disconnected; only an operator brings it back.");
        await client.DeleteAsync(PathOf(id), cancellationToken, device?.Version);
        PrintRemoved(parsed, id, $"Removed. Device {id} is disconnected, and needs an operator's approval to come back.");
    }

    private static async Task LabelAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string? label = parsed.GetValue(Label);
        if ((label is null) != parsed.GetValue(Clear))
            throw new CommandFailedException(ExitCodes.Usage, "Give a label, or --clear");
        string path = await PathAsync(client, parsed, cancellationToken);
        if (label is null)
            await client.DeleteAsync(path + "/label", cancellationToken);
        else
            await PutAsync(client, path + "/label", AdminClient.Json(new LabelBody { Label = label }, AdminJson.Body<LabelBody>()), cancellationToken);
        DeviceCommands.Print(parsed, await client.GetAsync(path, AdminJson.Answer<DeviceView>(), cancellationToken));
    }

    private static async Task BlockAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string path = await PathAsync(client, parsed, cancellationToken) + "/block";
        var block = new BlockBody { Reason = parsed.GetValue(Reason)! };
        DeviceCommands.Print(parsed, await PutAsync(client, path, AdminClient.Json(block, AdminJson.Body<BlockBody>()), cancellationToken));
    }

    private static async Task UnblockAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        DeviceView device = await DeviceCommands.GetAsync(client, await ResolveWholeAsync(client, parsed, cancellationToken), cancellationToken);
        await client.DeleteAsync(PathOf(device.Id.ToString()) + "/block", cancellationToken);
        await PrintAsync(client, parsed, device.Id, cancellationToken);
    }

    private static Task<DeviceView> PutAsync(AdminClient client, string path, HttpContent body, CancellationToken cancellationToken) =>
        client.ChangeAsync(HttpMethod.Put, path, body, AdminJson.Answer<DeviceView>(), cancellationToken);

    private static async Task<DeviceView> ReadAsync(AdminClient client, string id, CancellationToken cancellationToken) =>
        await DeviceCommands.GetAsync(client, await DeviceCommands.ResolveAsync(client, id, cancellationToken), cancellationToken);

    private static Task<string> ResolveWholeAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken) =>
        DeviceCommands.ResolveAsync(client, parsed.GetRequiredValue(WholeId), cancellationToken, DeviceId.FingerprintDigits);

    private static async Task<string> PathAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken) =>
        PathOf(await DeviceCommands.ResolveAsync(client, parsed.GetRequiredValue(Id), cancellationToken));

    // An invalid role could be a step in a path, and lead to another resource. The text of a key is its path.
    private static GrantKey ReadKey(ParseResult parsed) => parsed.GetRequiredValue(Role) is var role && ScopeSet.IsValidName(role)
        ? new GrantKey(OperatorCommand.ReadAudience(parsed, OperatorCommand.AudienceOption) ?? Audience.Default, role)
        : throw new CommandFailedException(ExitCodes.Usage, $"'{role}' is no role: {OperatorCommand.Names}");

    private static string PathOf(string id) => "admin/v1/devices/" + id;

    private static async Task PrintAsync(AdminClient client, ParseResult parsed, DeviceId id, CancellationToken cancellationToken)
    {
        if (await DeviceCommands.FindAsync(client, id, cancellationToken) is { } device)
            DeviceCommands.Print(parsed, device);
        else
            PrintRemoved(parsed, id.ToString(), $"Done. Nothing is approved for device {id} any more.");
    }

    private static void PrintRemoved(ParseResult parsed, string id, string text) =>
        OperatorCommand.Print(parsed, new RemovedDevice(id, Removed: true), ClientJsonContext.Default.RemovedDevice, () => Console.Out.WriteLine(text));
}
