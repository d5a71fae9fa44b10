using System.CommandLine;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary>What the commands of operators have in common.</summary>
internal static class OperatorCommand
{
    public static Option<bool> JsonOption { get; } = new("--json") { Description = "JSON for scripts instead of text for people" };

    public static Option<string?> ScopesOption { get; } = new("--scopes")
    {
        Description = "Scopes, separated by commas; \"\" for none",
        HelpName = "a,b",
    };

    /// <summary>What roles and scopes look like.</summary>
    public static string Names { get; } = $"1 to {ScopeSet.MaxNameLength} of A-Z a-z 0-9 . _ : -";

    /// <summary>For commands that take something away.</summary>
    public static Option<bool> YesOption { get; } = new("--yes", "-y") { Description = "Do not ask; without a terminal nothing is asked anyway" };

    public static Command New(
        string name, string description, Func<AdminClient, ParseResult, CancellationToken, Task> run, params ReadOnlySpan<Symbol> more)
    {
        var command = new Command(name, description) { AdminSettings.UrlOption, AdminSettings.KeyFileOption, JsonOption };
        foreach (Symbol symbol in more)
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            using AdminClient client = await AdminClient.OpenAsync(AdminSettings.Read(parsed), cancellationToken);
            await run(client, parsed, cancellationToken);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static ScopeSet? ReadScopes(ParseResult parsed) => parsed.GetValue(ScopesOption) is { } scopes ? ScopesIn(scopes) : null;

    /// <summary>The scopes in a text, between commas.</summary>
    /// <exception cref="CommandFailedException">One of them is none.</exception>
    public static ScopeSet ScopesIn(string text)
    {
        string[] scopes = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return Array.Find(scopes, scope => !ScopeSet.IsValidName(scope)) is { } wrong
            ? throw new CommandFailedException(ExitCodes.Usage, $"'{wrong}' is no scope: {Names}")
            : ScopeSet.Of(scopes);
    }

    /// <summary>Asks whoever sits at the terminal whether they mean it. Where nobody does, a script has said so by calling.</summary>
    /// <exception cref="CommandFailedException">They do not.</exception>
    public static void Confirm(ParseResult parsed, string what)
    {
        if (parsed.GetValue(YesOption) || Console.IsInputRedirected || Console.IsErrorRedirected)
            return;
        Console.Error.Write(PlainText.Of(what) + " Go on? [y/N] ");
        if (Console.In.ReadLine()?.Trim() is not ("y" or "Y" or "yes"))
            throw new CommandFailedException(ExitCodes.Refused, "Nothing was changed.");
    }
}
