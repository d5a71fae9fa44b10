using System.Collections.Immutable;
using System.Text.RegularExpressions;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Conventions;

/// <summary>
/// Which namespace uses which types of which others, read from the sources. Compiled assemblies would not tell all: a constant and a <c>nameof</c>
/// leave no trace there. A using-directive counts as a use, since the build refuses those that are not needed.
/// </summary>
internal sealed partial class SourceGraph
{
    private const RegexOptions Plain = RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant;
    private readonly ImmutableArray<SourceFile> _files;
    private readonly ILookup<string, Declaration> _byNamespace;

    private SourceGraph(ImmutableArray<SourceFile> files)
    {
        _files = files;
        _byNamespace = files.SelectMany(f => f.Declares.Select(d => (f.Namespace, Declared: d))).ToLookup(d => d.Namespace, d => d.Declared);
    }

    /// <summary>The graph of these sources.</summary>
    public static SourceGraph Of(IEnumerable<string> sources) => new([.. sources.Select(SourceFile.Read).Where(f => f.Namespace.Length > 0)]);

    /// <summary>The graph with one more source.</summary>
    public SourceGraph With(string source) => new(_files.Add(SourceFile.Read(source)));

    /// <summary>The sources in the folders of <c>src</c> whose names match.</summary>
    public static IEnumerable<string> Sources(string folders) =>
        from folder in Directory.EnumerateDirectories(Path.Combine(ShippedConfigurationTests.Root, "src"), folders)
        from path in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        where Path.GetRelativePath(folder, path).Split(Path.DirectorySeparatorChar)[0] is not ("obj" or "bin")
        select File.ReadAllText(path);

    /// <summary>Every use of a type of another namespace.</summary>
    public IEnumerable<Use> Uses() =>
        from file in _files
        from other in _byNamespace
        where other.Key != file.Namespace
        let found = other.Where(d => file.Mentions(other.Key, d.Name)).ToArray()
        let uses = found.Length == 0 && file.Usings.Contains(other.Key) ? [new Declaration("an extension method", IsPublic: true)] : found
        from declared in uses
        select new Use(file.Namespace, file.Declares.FirstOrDefault()?.Name ?? "?", other.Key, declared.Name, declared.IsPublic);

    /// <summary>A type that a file mentions.</summary>
    /// <param name="From">The namespace of the file.</param>
    /// <param name="User">The first type in the file.</param>
    /// <param name="To">The namespace of the type.</param>
    /// <param name="Type">The type.</param>
    /// <param name="IsPublic">Whether the type is public.</param>
    internal sealed record Use(string From, string User, string To, string Type, bool IsPublic)
    {
        public override string ToString() => $"{From}.{User} uses {To}.{Type}";
    }

    private sealed record Declaration(string Name, bool IsPublic);

    private sealed record SourceFile(
        string Namespace, ImmutableHashSet<string> Usings, ImmutableArray<Declaration> Declares, ImmutableHashSet<string> Names, ImmutableHashSet<string> QualifiedNames)
    {
        private ImmutableHashSet<string> LastParts { get; } = [.. QualifiedNames.Select(q => q[(q.LastIndexOf('.') + 1)..])];

        public static SourceFile Read(string source)
        {
            string code = CommentsAndTexts().Replace(source, " ");
            return new SourceFile(
                NamespaceLine().Match(code) is { Success: true } line ? line.Groups["name"].Value : "",
                [.. UsingLines().Matches(code).Select(m => m.Groups["name"].Value)],
                [.. Declarations().Matches(code).Select(m => new Declaration(m.Groups["name"].Value, m.Groups["public"].Success)).DistinctBy(d => d.Name)],
                [.. SimpleNames().Matches(code).Select(m => m.Value)],
                [.. QualifiedTypes().Matches(code).SelectMany(m => Beginnings(m.Value))]);
        }

        public bool Mentions(string @namespace, string type) =>
            IsNamed(type)
            && ((Names.Contains(type) && (Usings.Contains(@namespace) || Namespace.StartsWith(@namespace + ".", StringComparison.Ordinal)))
                || QualifiedNames.Any(q => ("." + @namespace + "." + type).EndsWith("." + q, StringComparison.Ordinal)));

        // Most types are not, so that the rest need not be looked at.
        private bool IsNamed(string type) => Names.Contains(type) || LastParts.Contains(type);

        // Of A.B.C: A.B and A.B.C.
        private static IEnumerable<string> Beginnings(string name)
        {
            string[] parts = name.Split('.');
            return Enumerable.Range(2, parts.Length - 1).Select(count => string.Join('.', parts.Take(count)));
        }
    }

    [GeneratedRegex("""
        //[^\n]*|'(\\.|[^'\\\n])'|"{3}[\s\S]*?"{3}|"(\\.|[^"\\\n])*"
        """, Plain, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CommentsAndTexts();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);", Plain | RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"^using (?<name>[\w.]+);", Plain | RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UsingLines();

    [GeneratedRegex(@"^((?<public>public)|internal)[\w ]*? (class|record struct|record|struct|interface|enum) (?<name>\w+)", Plain | RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Declarations();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*", Plain, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SimpleNames();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*(\.[A-Z]\w*)+", Plain, matchTimeoutMilliseconds: 1000)]
    private static partial Regex QualifiedTypes();
}
