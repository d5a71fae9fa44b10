using System.CommandLine;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary>Shared parts of operators' commands.</summary>
internal static class OperatorCommand
{
    public static Option<bool> JsonOption { get; } = new("--json") { Description = "JSON for scripts instead of text for people" };

    public static Option<string?> ScopesOption { get; } = new("--scopes")
    {
        Description = "Scopes, separated by commas; \"\" for none",
        HelpName = "a,b",
    };

    public static Option<string?> AudienceOption { get; } = new("--audience") { Description = "The agent's audience; without it, default", HelpName = "name" };

    /// <summary>For lists.</summary>
    public static Option<string?> AudienceFilter { get; } = new("--audience") { Description = "Only those of the agent with this audience", HelpName = "name" };

    /// <summary>The form of roles and scopes.</summary>
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

    /// <summary>The audience that an option names; null if it is not given.</summary>
    /// <exception cref="CommandFailedException">It is no audience: it could be a step in a path.</exception>
    public static Audience? ReadAudience(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } name)
            return null;
        return Audience.TryParse(name, out Audience audience)
            ? audience
            : throw new CommandFailedException(ExitCodes.Usage, $"'{name}' is no audience: {Audience.Names}");
    }

    /// <summary>The query of a list, for <see cref="AudienceFilter"/>; empty if it is not given.</summary>
    public static string AudienceQuery(ParseResult parsed) => ReadAudience(parsed, AudienceFilter) is { } audience ? $"?audience={audience}" : "";

    /// <summary>Prints a list: as JSON if that is asked for, else as a table.</summary>
    /// <param name="parsed">The operator's input.</param>
    /// <param name="items">The list.</param>
    /// <param name="type">Its JSON.</param>
    /// <param name="none">The text in place of an empty table.</param>
    /// <param name="columns">The table's head.</param>
    /// <param name="row">Makes a row.</param>
    public static void PrintList<T>(
        ParseResult parsed, IReadOnlyList<T> items, JsonTypeInfo<PageView<T>> type, string none, string[] columns, Func<T, string[]> row) =>
        Print(parsed, new PageView<T>(items, Next: null), type, () =>
        {
            if (items.Count == 0)
            {
                Console.Out.WriteLine(none);
                return;
            }

            Table table = Tables.New(columns);
            foreach (T item in items)
                table.AddTextRow(row(item));
            Tables.Write(table);
        });

    /// <summary>Prints an answer: as JSON if that is asked for, else as text for people.</summary>
    public static void Print<T>(ParseResult parsed, T value, JsonTypeInfo<T> type, Action printText)
    {
        if (parsed.GetValue(JsonOption))
            JsonOutput.Write(value, type);
        else
            printText();
    }

    public static ScopeSet? ReadScopes(ParseResult parsed) => parsed.GetValue(ScopesOption) is { } scopes ? ScopesIn(scopes) : null;

    /// <summary>The scopes in a text, between commas.</summary>
    /// <exception cref="CommandFailedException">One of them is invalid.</exception>
    public static ScopeSet ScopesIn(string text)
    {
        string[] scopes = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return Array.Find(scopes, scope => !ScopeSet.IsValidName(scope)) is { } wrong
            ? throw new CommandFailedException(ExitCodes.Usage, $"'{wrong}' is no scope: {Names}")
            : ScopeSet.Of(scopes);
    }

    /// <summary>Asks for confirmation at a terminal. Without a terminal, the call of the script confirms.</summary>
    /// <exception cref="CommandFailedException">The operator does not confirm.</exception>
    public static void Confirm(ParseResult parsed, string what)
    {
        if (parsed.GetValue(YesOption) || Console.IsInputRedirected || Console.IsErrorRedirected)
            return;
        Console.Error.Write(PlainText.Of(what) + " Go on? [y/N] ");
        if (Console.In.ReadLine()?.Trim() is not ("y" or "Y" or "yes"))
            throw new CommandFailedException(ExitCodes.Refused, "Nothing was changed.");
    }
}
