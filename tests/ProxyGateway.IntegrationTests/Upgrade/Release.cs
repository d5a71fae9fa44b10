using System.Runtime.CompilerServices;

namespace ProxyGateway.IntegrationTests.Upgrade;

/// <summary>An earlier release that <c>tests/last-release</c> names and <c>./test --upgrade</c> has built from git's history.</summary>
/// <param name="Name">Its tag or commit.</param>
public sealed record Release(string Name)
{
    private static readonly string Root = RootOf();

    /// <summary>Those that are built, newest first.</summary>
    public static IReadOnlyList<Release> All { get; } =
    [
        .. from line in File.ReadLines(Path.Combine(Root, "tests", "last-release"))
           where line.Length > 0 && line[0] != '#'
           let release = new Release(line.Split(' ')[0])
           where File.Exists(release.Program)
           select release,
    ];

    /// <summary>The program.</summary>
    internal string Program => Path.Combine(Folder, "program", "proxygateway.dll");

    /// <summary>Whether it has proofs, and with them audiences, invitations and session tokens.</summary>
    internal bool HasProofs => Directory.Exists(Path.Combine(Source, "src/ProxyGateway.DeviceAuth/Handshakes/Proof"));

    /// <summary>The configurations that it shipped.</summary>
    internal IEnumerable<string> Configurations => Directory.GetFiles(Path.Combine(Source, "config"), "*.json").Append(Path.Combine(Source, "appsettings.json"));

    private string Folder => Path.Combine(Root, "artifacts", "releases", Name);

    private string Source => Path.Combine(Folder, "source");

    /// <inheritdoc/>
    public override string ToString() => Name.Length == 40 ? Name[..7] : Name;

    private static string RootOf([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}

/// <summary>A test with an earlier release, skipped where there is none of the kind.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ReleaseTheoryAttribute : TheoryAttribute
{
    public ReleaseTheoryAttribute(string kind)
    {
        if (RollingUpgradeTests.Of(kind).Count == 0)
            Skip = "No program of an earlier release is built: ./test --upgrade does, where git has the history.";
    }
}
