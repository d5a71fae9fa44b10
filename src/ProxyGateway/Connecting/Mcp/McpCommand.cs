using System.CommandLine;
using System.Runtime.InteropServices;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.Operating;

namespace ProxyGateway.Connecting.Mcp;

/// <summary><c>proxygateway mcp &lt;url&gt;</c>: an MCP server behind a gateway, for hosts that start programs.</summary>
internal static class McpCommand
{
    private static readonly Argument<string> Url = new("url")
    {
        Description = "The server's URL at the gateway, as in https://gate.example/mcp; with an invitation, the address as it was printed",
    };

    private static readonly Option<string?> PrintConfig = new("--print-config")
    {
        Description = $"Print what makes a host start this, and end: {string.Join(", ", HostConfiguration.Hosts)}",
        HelpName = "host",
    };

    public static Command Build()
    {
        PrintConfig.AcceptOnlyFromAmong([.. HostConfiguration.Hosts]);
        var command = new Command("mcp", "Be an MCP server on the standard input and output, in the name of one behind a gateway, as this machine's device")
        {
            Url, IdentityFile.Option, Authorities.Option, ConnectCommand.Role, OperatorCommand.ScopesOption, PrintConfig,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        ConnectAsk ask = PairCommand.Invited(ConnectCommand.ReadAsk(parsed, ReadUrl(parsed), token: null));
        if (parsed.GetValue(PrintConfig) is { } host)
        {
            await Console.Error.WriteLineAsync($"Into {HostConfiguration.FileOf(host)}:");
            Console.Out.Write(HostConfiguration.Lines(host, ask.Url, [.. ThisProgram(), .. Arguments(parsed)]));
            return ExitCodes.Ok;
        }

        using DeviceIdentity identity = IdentityFile.Open(parsed);
        var claims = new ProofClaims
        {
            Role = ask.Role,
            Scopes = ask.Scopes,
            Invitation = ask.Invitation,
            Client = new ClientClaim { Id = "cli", DisplayName = $"proxygateway mcp on {Environment.MachineName}", Platform = ClientClaim.CurrentPlatform, Mode = "mcp" },
        };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using PosixSignalRegistration term = OnSignal(PosixSignal.SIGTERM, stop);
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, stop);
        using var endpoint = new McpEndpoint(ask.Url, identity, claims, DeviceFingerprint.Of(identity.Id), TimeProvider.System, ask.Trusted);
        using var bridge = new McpBridge(endpoint, Console.OpenStandardInput(), Console.OpenStandardOutput(), stop.Token);
        return await bridge.RunAsync() ? ExitCodes.Ok : ExitCodes.Refused;
    }

    // The session at the server is ended first.
    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource stop) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        stop.Cancel();
    });

    private static Uri ReadUrl(ParseResult parsed)
    {
        string text = parsed.GetRequiredValue(Url);
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0)
            throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is no URL of an MCP server, as in https://gate.example/mcp");
        return url.Scheme == "https" || url.IsLoopback
            ? url
            : throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is not encrypted: others could act as this device. Use https");
    }

    private static string[] ThisProgram()
    {
        string path = Environment.ProcessPath ?? "proxygateway";
        return Path.GetFileNameWithoutExtension(path) == "dotnet" ? [path, Path.GetFullPath(Environment.GetCommandLineArgs()[0])] : [path];
    }

    private static IEnumerable<string> Arguments(ParseResult parsed)
    {
        yield return "mcp";
        yield return parsed.GetRequiredValue(Url);
        if (parsed.GetResult(IdentityFile.Option) is { Implicit: false })
        {
            yield return IdentityFile.Option.Name;
            yield return Path.GetFullPath(parsed.GetRequiredValue(IdentityFile.Option)); // hosts start programs in any folder
        }

        if (parsed.GetValue(Authorities.Option) is { } authorities)
        {
            yield return Authorities.Option.Name;
            yield return Path.GetFullPath(authorities);
        }

        foreach (Option<string?> option in new[] { ConnectCommand.Role, OperatorCommand.ScopesOption })
        {
            if (parsed.GetValue(option) is { } value)
            {
                yield return option.Name;
                yield return value;
            }
        }
    }
}
