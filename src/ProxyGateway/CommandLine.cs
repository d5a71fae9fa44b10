using System.CommandLine;
using ProxyGateway.Connecting;
using ProxyGateway.Connecting.Mcp;
using ProxyGateway.Forwarding;
using ProxyGateway.Operating;
using ProxyGateway.Serving;

namespace ProxyGateway;

/// <summary>The commands and their exit codes.</summary>
internal static class CommandLine
{
    private const string Description = """
        Admits devices to an agent service. Without a command, it serves.

        Exit codes: 0 done; 1 refused or failed; 2 the command line is not understood; 3 the gateway is not reachable.
        """;

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            ParseResult parsed = Root().Parse(args);
            if (parsed.Errors.Count > 0)
                throw new CommandFailedException(ExitCodes.Usage, string.Join(" ", parsed.Errors.Select(e => OneLine(e.Message))) + " (--help shows what there is)");

            // Settings may follow only the root and serve, but the parser allows that for every command.
            if (parsed.UnmatchedTokens is [var first, ..] && parsed.CommandResult.Command.TreatUnmatchedTokensAsErrors)
                throw new CommandFailedException(ExitCodes.Usage, $"'{first}' is not understood here (--help shows what there is)");

            // No time-out: the host ends a gateway gracefully at a signal, and the system ends everything else.
            var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(invocation);
        }
        catch (CommandFailedException e)
        {
            await Console.Error.WriteLineAsync("proxygateway: " + PlainText.Of(e.Message, keepLines: true));
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Refused;
        }
    }

    private static string OneLine(string message) => string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static RootCommand Root()
    {
        var root = new RootCommand(Description)
        {
            RequestCommands.Build(), DeviceCommands.Build(), InvitationCommands.BuildInvite(), InvitationCommands.Build(), SessionCommands.Build(), AuditCommand.Build(), RegistryCommands.Build(), ConnectCommand.Build(),
            PairCommand.Build(), ForwardCommand.Build(), McpCommand.Build(),
            HealthCommand.Build(), CompletionCommand.Build(),
        };
        Command serve = ServeCommand.Build();
        root.Add(serve);
        root.TreatUnmatchedTokensAsErrors = false;
        root.SetAction(ServeCommand.RunAsync);
        return root;
    }
}
