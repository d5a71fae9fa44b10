using System.CommandLine;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Files;
using ProxyGateway.Operating;

namespace ProxyGateway.Connecting;

/// <summary><c>proxygateway pair &lt;url&gt;</c>: has this machine's device let in, and waits until it is.</summary>
internal static class PairCommand
{
    private static readonly Argument<string?> Url = new("url")
    {
        Description = "The agent's URL at the gateway, as in https://gate.example/agent; ws or wss for an OpenClaw server; or the address of an invitation",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = _ => null,
    };

    private static readonly Option<string?> InvitationFile = new("--invitation-file")
    {
        Description = "A file with the address of an invitation, instead of the URL; - for the standard input. Unlike an argument, no list of processes shows it",
        HelpName = "file",
    };

    private static readonly Option<bool> NoQrCode = new("--no-qr") { Description = "No QR code; without a terminal there is none anyway" };

    public static Command Build()
    {
        var command = new Command("pair", "Ask a gateway to let this device in, and wait until an operator has decided")
        {
            Url, InvitationFile, ConnectCommand.Role, OperatorCommand.ScopesOption, IdentityFile.Option, Authorities.Option, NoQrCode,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        ConnectAsk ask = Invited(ConnectCommand.ReadAsk(parsed, ReadUrl(parsed), token: null));
        using DeviceIdentity identity = IdentityFile.Open(parsed);
        using var connection = new DeviceConnection(identity, ask);
        Line("device", identity.Id);
        Line("fingerprint", connection.Fingerprint);
        Line("in words", DeviceFingerprint.WordsOf(identity.Id));
        bool showsQrCode = !parsed.GetValue(NoQrCode);
        ConnectReport report = await connection.WaitAsync((refused, why) => PrintWaiting(refused, why, connection.Fingerprint, showsQrCode), cancellationToken);
        if (!report.Admitted)
        {
            throw new CommandFailedException(
                ExitCodes.Refused, $"The device is not let in: {report.Message ?? report.CloseReason ?? $"HTTP {report.HttpStatus}"} {report.RemediationHint}".TrimEnd());
        }

        Line("paired", $"The device is let in at {ask.Url}");
        return ExitCodes.Ok;
    }

    private static void PrintWaiting(ConnectReport? refused, string why, string fingerprint, bool showsQrCode)
    {
        if (refused?.RequestId is { } request)
        {
            Line("request", request);
            if (showsQrCode)
                QrCode.Print($"proxygateway requests approve {PlainText.Of(request)} ({fingerprint})"); // so that the fingerprint need not be typed
        }

        Line("waiting", why);
    }

    /// <summary>Takes an invitation out of the URL, as <c>proxygateway invite</c> prints it: it goes to the gateway in the proof alone.</summary>
    public static ConnectAsk Invited(ConnectAsk ask)
    {
        Dictionary<string, StringValues> parts = QueryHelpers.ParseQuery(ask.Url.Fragment.TrimStart('#'));
        if (parts.GetValueOrDefault("invitation") is not [{ Length: > 0 } secret])
            return ask;
        return ask with
        {
            Url = new Uri(ask.Url.GetLeftPart(UriPartial.Query)),
            Invitation = secret,
            Role = ask.Role ?? NameIn(parts, "role"),
            Scopes = ask.Scopes ?? (NameIn(parts, "scopes") is { } scopes ? OperatorCommand.ScopesIn(scopes) : null),
        };
    }

    private static string? NameIn(Dictionary<string, StringValues> parts, string name) => parts.GetValueOrDefault(name) is [{ Length: > 0 } text] ? text : null;

    private static Uri ReadUrl(ParseResult parsed)
    {
        string? text = parsed.GetValue(Url);
        string? file = parsed.GetValue(InvitationFile);
        if (text is null == file is null)
            throw new CommandFailedException(ExitCodes.Usage, "Name the agent's URL, or a file with the address of an invitation");
        text ??= ReadInvitation(file!);
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" or "ws" or "wss")
            return url;
        throw new CommandFailedException(
            ExitCodes.Usage, file is null ? $"'{PlainText.Of(text)}' is no URL, as in https://gate.example/agent" : $"In {file} is no address of an invitation, as in https://gate.example/agent#invitation=...");
    }

    private static string ReadInvitation(string file)
    {
        if (file == "-")
            return Console.In.ReadLine()?.Trim() ?? "";
        try
        {
            return PrivateFile.Read(file)?.Trim() ?? throw new CommandFailedException(ExitCodes.Refused, $"There is no {file}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new CommandFailedException(ExitCodes.Refused, e.Message);
        }
    }

    private static void Line(string name, string value) => Console.Out.WriteLine($"{name,-11} {PlainText.Of(value)}");
}
