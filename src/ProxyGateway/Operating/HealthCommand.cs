using System.CommandLine;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway health</c>: for the probes of containers, which must not need an operator's key.</summary>
internal static class HealthCommand
{
    private static readonly Option<bool> Live = new("--live") { Description = "Only whether the process answers; for a liveness probe" };

    public static Command Build()
    {
        var command = new Command("health", "Whether the gateway can admit devices now; needs no key") { AdminSettings.UrlOption, Live };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using AdminClient client = await AdminClient.OpenAsync(AdminSettings.ReadWithoutKey(parsed), cancellationToken);
        Console.Out.WriteLine(PlainText.Of(await client.GetTextAsync(parsed.GetValue(Live) ? "healthz" : "readyz", cancellationToken), keepLines: true).TrimEnd());
        return ExitCodes.Ok;
    }
}
