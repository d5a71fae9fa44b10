using System.CommandLine;

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

    public static Command New(string name, string description, Func<AdminClient, ParseResult, CancellationToken, Task> run, Argument? argument = null)
    {
        var command = new Command(name, description) { AdminSettings.UrlOption, AdminSettings.KeyFileOption, JsonOption };
        if (argument is not null)
            command.Add(argument);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = new AdminClient(AdminSettings.Read(parsed));
            await run(client, parsed, cancellationToken);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static string[]? ReadScopes(ParseResult parsed) =>
        parsed.GetValue(ScopesOption)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
