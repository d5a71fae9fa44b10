using System.CommandLine;

namespace ProxyGateway.Serving;

/// <summary><c>proxygateway [serve] [Key:Sub=value ...]</c></summary>
internal static class ServeCommand
{
    public static Command Build()
    {
        var command = new Command("serve", "Serve (the default). Settings may follow, as in --Urls=http://127.0.0.1:8080") { TreatUnmatchedTokensAsErrors = false };
        command.SetAction(RunAsync);
        return command;
    }

    public static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        await Task.Yield();
        return 0;
    }
}
