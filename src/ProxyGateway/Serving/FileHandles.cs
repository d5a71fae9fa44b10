using System.Globalization;

namespace ProxyGateway.Serving;

/// <summary>How many file handles this process may have, and what they are for.</summary>
/// <param name="Limit">How many it may have; null where that cannot be told.</param>
/// <param name="Connections">How many connections the data port may hold: each may have one to the backend besides.</param>
/// <param name="Operators">How many connections the operators' port may hold.</param>
internal sealed record FileHandles(int? Limit, int Connections, int Operators)
{
    /// <summary>
    /// Kept for the registry's files and connections, the key file, the log, webhooks, names that are looked up, files of the program
    /// that are not loaded yet, and connections that are being refused.
    /// </summary>
    public const int Kept = 64;

    private const int MostOperators = 128;
    private const int OperatorsPart = 4;
    private const int FewestConnections = 8;
    private const int WhereUnknown = 4096;

    /// <summary>Shares out what the process has not used yet. To be called once it is about to listen.</summary>
    public static FileHandles Share() => OperatingSystem.IsLinux() && ReadLimit(File.ReadLines("/proc/self/limits")) is { } limit
        ? Share(limit, Directory.GetFileSystemEntries("/proc/self/fd").Length)
        : new FileHandles(Limit: null, WhereUnknown, MostOperators);

    /// <summary>Shares out what is left.</summary>
    /// <param name="limit">How many handles the process may have.</param>
    /// <param name="used">How many it has already.</param>
    public static FileHandles Share(int limit, int used)
    {
        int left = Math.Max(0, limit - used - Kept);
        int operators = Math.Clamp(left / OperatorsPart, FewestConnections, MostOperators);
        return new FileHandles(limit, Math.Max(FewestConnections, (left - operators) / 2), operators);
    }

    /// <summary>The limit in force, of proc_pid_limits(5). .NET has raised it to the most that it may be.</summary>
    public static int? ReadLimit(IEnumerable<string> lines)
    {
        const string name = "Max open files";
        if (lines.FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal)) is not { } line)
            return null;
        return line[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) switch
        {
            ["unlimited", ..] => int.MaxValue,
            [var soft, ..] when long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long limit) => (int)Math.Min(limit, int.MaxValue),
            _ => null,
        };
    }
}
