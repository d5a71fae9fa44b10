using System.CommandLine;
using System.Globalization;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Operating;

namespace ProxyGateway.Connecting;

/// <summary><c>proxygateway connect &lt;ws-url&gt;</c>: a device to try a gateway with.</summary>
internal static class ConnectCommand
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private static readonly Argument<string> Url = new("ws-url") { Description = "Where the gateway serves, as in ws://127.0.0.1:8080" };

    private static readonly Option<string> Role = new("--role") { Description = "The role to ask for", DefaultValueFactory = _ => "operator", HelpName = "role" };

    private static readonly Option<string?> Token = new("--token") { Description = "The token that the backend wants, if it wants one", HelpName = "token" };

    private static readonly Option<string> Identity = new("--identity")
    {
        Description = "The file with the device's key; made if it does not exist",
        DefaultValueFactory = _ => DeviceIdentity.DefaultPath,
        HelpName = "file",
    };

    private static readonly Option<bool> Wait = new("--wait") { Description = "Keep trying, as a real client does, until the device is approved" };

    public static Command Build()
    {
        var command = new Command("connect", "Connect as a device, and print what happens")
        {
            Url, Role, OperatorCommand.ScopesOption, Token, Identity, Wait, OperatorCommand.JsonOption,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        ConnectAsk ask = ReadAsk(parsed);
        var connection = new DeviceConnection(DeviceIdentity.LoadOrCreate(parsed.GetRequiredValue(Identity)), ask);
        ConnectReport report = await ConnectAsync(connection, parsed.GetValue(Wait), cancellationToken);
        OperatorCommand.Print(parsed, report, ConnectJsonContext.Default.ConnectReport, () => Print(report, ask));
        return report.Admitted ? ExitCodes.Ok : ExitCodes.Refused;
    }

    private static async Task<ConnectReport> ConnectAsync(DeviceConnection connection, bool wait, CancellationToken cancellationToken)
    {
        string? said = null;
        for (TimeSpan pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            string why;
            try
            {
                ConnectReport report = await connection.TryAsync(cancellationToken);
                if (!wait || report.Admitted || !report.MayRetry)
                    return report;
                why = report.RemediationHint ?? report.Message ?? report.CloseReason ?? $"HTTP {report.HttpStatus}";
            }
            catch (CommandFailedException e) when (wait && e.ExitCode == ExitCodes.Unreachable)
            {
                why = e.Message;
            }

            if (why != said)
                await Console.Error.WriteLineAsync($"waiting: {PlainText.Of(why)} (this device's fingerprint: {connection.Identity.Fingerprint})");
            said = why;
            await Task.Delay(pause, cancellationToken);
        }
    }

    private static ConnectAsk ReadAsk(ParseResult parsed)
    {
        string text = parsed.GetRequiredValue(Url);
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme is not ("ws" or "wss"))
            throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is not a WebSocket URL, as in ws://127.0.0.1:8080");
        string role = parsed.GetRequiredValue(Role);
        if (!ScopeSet.IsValidName(role))
            throw new CommandFailedException(ExitCodes.Usage, $"'{role}' is no role: {OperatorCommand.Names}");
        ScopeSet scopes = OperatorCommand.ReadScopes(parsed) ?? ScopeSet.Empty;
        return new ConnectAsk(url, role, scopes, parsed.GetValue(Token));
    }

    private static void Print(ConnectReport report, ConnectAsk ask)
    {
        string asked = $"{ask.Role} with {(ask.Scopes.Count == 0 ? "no scopes" : string.Join(' ', ask.Scopes))}";
        Line(report.Admitted ? "admitted" : "refused", $"device {report.DeviceId} as {asked}");
        Line("fingerprint", report.Fingerprint);
        Line("protocol", report.Protocol?.ToString(CultureInfo.InvariantCulture));
        Line("server", report.Server?.GetRawText());
        Line("http", report.HttpStatus?.ToString(CultureInfo.InvariantCulture));
        Line("code", report.Code);
        Line("reason", report.Reason);
        Line("message", report.Message);
        Line("request", report.RequestId);
        Line("closed", report.CloseCode is null ? null : $"{report.CloseCode} {report.CloseReason}".TrimEnd());
        Line("next", report.RemediationHint);
    }

    private static void Line(string name, string? value)
    {
        if (value is not null)
            Console.Out.WriteLine($"{name,-11} {PlainText.Of(value)}");
    }
}
