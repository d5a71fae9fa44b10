using System.CommandLine;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway completion bash|zsh|fish</c>: prints a shell script that completes the program's commands.</summary>
internal static class CompletionCommand
{
    // All of them ask the program itself, by the directive that System.CommandLine answers: [suggest:<position of the cursor>]
    // "<the line>".
    private const string Bash = """
        _proxygateway() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:$COMP_POINT]" "$COMP_LINE" 2> /dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -F _proxygateway proxygateway
        """;

    private const string Zsh = """
        #compdef proxygateway
        _proxygateway() {
            local -a found
            found=("${(@f)$("${words[1]}" "[suggest:$CURSOR]" "$BUFFER" 2> /dev/null)}")
            compadd -a found
        }
        compdef _proxygateway proxygateway
        """;

    private const string Fish = """
        complete -f -c proxygateway -a '(proxygateway "[suggest:"(commandline -C)"]" (commandline -p) 2> /dev/null)'
        """;

    private static readonly Dictionary<string, string> Scripts = new() { ["bash"] = Bash, ["zsh"] = Zsh, ["fish"] = Fish };

    private static readonly Argument<string> Shell = new("shell") { Description = "bash, zsh or fish" };

    public static Command Build()
    {
        Shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new Command("completion", "Print what completes these commands in a shell, as in: source <(proxygateway completion bash)") { Shell };
        command.SetAction(parsed => Console.Out.WriteLine(Scripts[parsed.GetRequiredValue(Shell)]));
        return command;
    }
}
