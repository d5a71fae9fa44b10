using System.CommandLine;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Serving;

/// <summary><c>proxygateway [serve] [Key:Sub=value ...]</c></summary>
internal static class ServeCommand
{
    public static Command Build()
    {
        var command = new Command("serve", "Serve (the default). Settings may follow, as in --Urls=http://127.0.0.1:8080")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        command.SetAction(RunAsync);
        return command;
    }

    public static async Task<int> RunAsync(ParseResult parsed)
    {
        string[] settings = [.. parsed.UnmatchedTokens];
        CheckSettings(settings);
        try
        {
            await using WebApplication app = GatewayHost.Build(settings);

            // A registry that cannot be opened ends the start before the server listens.
            app.Services.GetRequiredService<IDeviceStore>();
            await app.StartAsync();

            // Else a quiet gateway keeps the garbage of its start until it has made as much again.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            await app.WaitForShutdownAsync();
            return ExitCodes.Ok;
        }
        catch (Exception e) when (IsForTheOperator(e))
        {
            throw new CommandFailedException(ExitCodes.Refused, Describe(e));
        }
    }

    // Errors of the machine or the configuration, and not of the program.
    private static bool IsForTheOperator(Exception e) => e
        is InvalidConfigurationException or InvalidDataException or RegistryUnavailableException
        or IOException or UnauthorizedAccessException or SocketException or CryptographicException or FormatException
        or PlatformNotSupportedException || IsOfKestrel(e);

    // Such as for an https address without a certificate. The native program's exceptions have no Source.
    private static bool IsOfKestrel(Exception e) =>
        e is InvalidOperationException && e.StackTrace?.Contains("Microsoft.AspNetCore.Server.Kestrel.", StringComparison.Ordinal) == true;

    private static string Describe(Exception e) => e switch
    {
        InvalidConfigurationException => e.Message,
        // a file that is no JSON, and the position
        InvalidDataException { InnerException: not null } => $"{e.Message} {e.GetBaseException().Message}",
        IOException { InnerException: AddressInUseException } => e.Message + " Stop what uses it, or choose another with --Urls=... or --Admin:Url=...",
        InvalidOperationException when e.Message.Contains("certificate", StringComparison.OrdinalIgnoreCase) =>
            "An address is https, and there is no certificate for it. Name one: Kestrel:Certificates:Default:Path, and KeyPath for its key (both PEM).",
        SocketException => $"The gateway cannot listen: {e.Message}. See Urls and Admin:Url.",
        _ => e.Message.ReplaceLineEndings(" "),
    };

    // The host would ignore a word that is no setting; a mistyped command must not start a gateway.
    private static void CheckSettings(string[] settings)
    {
        for (int i = 0; i < settings.Length; i++)
        {
            string setting = settings[i];
            if (setting.Contains('=', StringComparison.Ordinal))
                continue;
            if (setting.StartsWith('-') && i + 1 < settings.Length && !settings[i + 1].StartsWith('-'))
                i++;
            else
                throw new CommandFailedException(ExitCodes.Usage, $"'{setting}' is neither a command nor a setting, as in --Urls=http://127.0.0.1:8080 (--help shows what there is)");
        }
    }
}
