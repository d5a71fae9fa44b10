using System.CommandLine;
using System.Globalization;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Operating;

namespace ProxyGateway.Connecting;

/// <summary><c>proxygateway connect &lt;ws-url&gt;</c>: a device to try a gateway with.</summary>
internal static class ConnectCommand
{
    private static readonly Argument<string> Url = new("ws-url") { Description = "Where the gateway serves, as in ws://127.0.0.1:8080" };

    public static Option<string?> Role { get; } = new("--role")
    {
        Description = "The role to ask for; without it, operator of an OpenClaw server, and of any other agent the role that its route names",
        HelpName = "role",
    };

    private static readonly Option<string?> Token = new("--token") { Description = "The token that the backend wants, if it wants one", HelpName = "token" };

    private static readonly Option<bool> Wait = new("--wait") { Description = "Keep trying, as a real client does, until the device is approved" };

    public static Command Build()
    {
        var command = new Command("connect", "Connect as a device, and print what happens")
        {
            Url, Role, OperatorCommand.ScopesOption, Token, IdentityFile.Option, Authorities.Option, Wait, OperatorCommand.JsonOption,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        ConnectAsk ask = ReadAsk(parsed, ReadUrl(parsed), parsed.GetValue(Token));
        using DeviceIdentity identity = IdentityFile.Open(parsed);
        using var connection = new DeviceConnection(identity, ask);
        ConnectReport report = parsed.GetValue(Wait)
            ? await connection.WaitAsync(
                (_, why) => Console.Error.WriteLine($"waiting: {PlainText.Of(why)} (this device's fingerprint: {connection.Fingerprint})"), cancellationToken)
            : await connection.TryAsync(cancellationToken);
        OperatorCommand.Print(parsed, report, ConnectJsonContext.Default.ConnectReport, () => Print(report));
        return report.Admitted ? ExitCodes.Ok : ExitCodes.Refused;
    }

    /// <summary>What a device asks for.</summary>
    /// <exception cref="CommandFailedException">It is malformed.</exception>
    public static ConnectAsk ReadAsk(ParseResult parsed, Uri url, string? token)
    {
        string? role = parsed.GetValue(Role);
        if (role is not null && !ScopeSet.IsValidName(role))
            throw new CommandFailedException(ExitCodes.Usage, $"'{role}' is no role: {OperatorCommand.Names}");
        return new ConnectAsk(url, role, OperatorCommand.ReadScopes(parsed), token) { Trusted = Authorities.Read(parsed) };
    }

    private static Uri ReadUrl(ParseResult parsed)
    {
        string text = parsed.GetRequiredValue(Url);
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "ws" or "wss"
            ? url
            : throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is not a WebSocket URL, as in ws://127.0.0.1:8080");
    }

    private static void Print(ConnectReport report)
    {
        string scopes = report.Scopes is null ? "its scopes" : report.Scopes.Count == 0 ? "no scopes" : string.Join(' ', report.Scopes);
        string asked = $"{report.Role ?? "the route's role"} with {scopes}";
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
