using System.Globalization;

namespace ProxyGateway.Serving;

/// <summary>The file handles of this process, and how they are divided.</summary>
/// <param name="Limit">The limit; null where it is unknown.</param>
/// <param name="Connections">How many connections the data port may hold: each may need one to the backend besides.</param>
/// <param name="Operators">How many connections the operators' port may hold.</param>
internal sealed record FileHandles(int? Limit, int Connections, int Operators)
{
    /// <summary>
    /// Reserved for the registry's files and connections, the key file, the log, webhooks, name resolution, files of the program that are
    /// not loaded yet, and connections that are being refused.
    /// </summary>
    public const int Kept = 64;

    private const int MostOperators = 128;
    private const int OperatorsPart = 4;
    private const int FewestConnections = 8;
    private const int WhereUnknown = 4096;

    /// <summary>Divides the unused handles. To be called just before listening.</summary>
    public static FileHandles Share() => OperatingSystem.IsLinux() && ReadLimit(File.ReadLines("/proc/self/limits")) is { } limit
        ? Share(limit, Directory.GetFileSystemEntries("/proc/self/fd").Length)
        : new FileHandles(Limit: null, WhereUnknown, MostOperators);

    /// <summary>Divides the unused handles.</summary>
    /// <param name="limit">The limit of the process.</param>
    /// <param name="used">The handles in use.</param>
    public static FileHandles Share(int limit, int used)
    {
        int left = Math.Max(0, limit - used - Kept);
        int operators = Math.Clamp(left / OperatorsPart, FewestConnections, MostOperators);
        return new FileHandles(limit, Math.Max(FewestConnections, (left - operators) / 2), operators);
    }

    /// <summary>The limit in force, from proc_pid_limits(5). .NET has raised it to the hard limit.</summary>
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
