using System.CommandLine;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway registry ...</c>: commands on the registry itself, without a gateway.</summary>
internal static class RegistryCommands
{
    private const string MayBeRepeated = "What was copied so far is a part; the same command, given again, completes it";

    private static readonly Option<string> From = Location("--from", "What to copy; it is only read");
    private static readonly Option<string> To = Location("--to", "Where to; empty, or what an interrupted copy left");

    public static Command Build()
    {
        var copy = new Command("copy", "Copy all devices, refusals and open requests to another registry, while no gateway uses either")
        {
            From,
            To,
            OperatorCommand.JsonOption,
        };
        copy.SetAction(CopyAsync);
        return new Command("registry", "The registry itself") { copy };
    }

    private static Option<string> Location(string name, string description) => new(name)
    {
        Description = description + ": sqlite[:file] or redis[:configuration], by default as in the appsettings.json here",
        HelpName = "registry",
        Required = true,
    };

    private static async Task<int> CopyAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        RegistryLocation from = RegistryLocation.Parse(parsed.GetRequiredValue(From));
        RegistryLocation to = RegistryLocation.Parse(parsed.GetRequiredValue(To));
        RegistryCopyReport report;
        try
        {
            await using ICopyableDeviceStore source = await from.OpenAsync(mustExist: true, cancellationToken);
            await using ICopyableDeviceStore target = await to.OpenAsync(mustExist: false, cancellationToken);
            report = await CopyAsync(source, target, cancellationToken);
        }
        catch (RegistryUnavailableException e)
        {
            throw new CommandFailedException(ExitCodes.Refused, e.Message.ReplaceLineEndings(" "));
        }

        if (report.Obstacle is { } device)
        {
            throw new CommandFailedException(
                ExitCodes.Refused,
                $"Nothing was copied: {to} is not empty, and holds device {device} as {from} does not. Name an empty registry");
        }

        var copied = new CopiedRegistry(report.Devices, report.Paired, report.Refused, report.Requests);
        OperatorCommand.Print(parsed, copied, ClientJsonContext.Default.CopiedRegistry, () => Console.Out.WriteLine(
            $"Copied {report.Devices} devices from {from} to {to}: {report.Paired} paired, {report.Refused} with refusals, {report.Requests} open requests."));
        return ExitCodes.Ok;
    }

    private static async Task<RegistryCopyReport> CopyAsync(
        ICopyableDeviceStore source, ICopyableDeviceStore target, CancellationToken cancellationToken)
    {
        try
        {
            return await new RegistryCopy(source, target).RunAsync(cancellationToken);
        }
        catch (RegistryUnavailableException e)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"{e.Message.ReplaceLineEndings(" ")} {MayBeRepeated}");
        }
        catch (OperationCanceledException)
        {
            throw new CommandFailedException(ExitCodes.Refused, "Interrupted. " + MayBeRepeated);
        }
    }
}
