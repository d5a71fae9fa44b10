using System.Text.RegularExpressions;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Conventions;

/// <summary>A reader finds a public type by its name: it has a file of its own, of that name. Internal companions may live in their type's file.</summary>
public sealed partial class FileTests
{
    private static readonly string Sources = Path.Combine(ShippedConfigurationTests.Root, "src");

    [Fact]
    public void A_public_type_has_a_file_of_its_own_named_after_it()
    {
        string[] paths = [.. Files()];

        paths.Length.ShouldBeGreaterThan(300, "else nothing was looked at");
        paths.SelectMany(path => Misplaced(Path.GetFileName(path), File.ReadAllText(path))).ShouldBeEmpty();
    }

    [Fact]
    public void Two_public_types_in_a_file_and_a_file_of_another_name_are_found()
    {
        Misplaced("A.cs", "public class A;\npublic readonly record struct B(int X);\ninternal class C;").ShouldBe(["A.cs: B"]);
        Misplaced("Names.cs", "public static partial class A\n{\n    public enum Inner;\n}").ShouldBe(["Names.cs: A"]);
        Misplaced("A.Part.cs", "public abstract partial class A;").ShouldBeEmpty();
        Misplaced("A.cs", "public interface A;\ninternal class C;").ShouldBeEmpty();
    }

    private static IEnumerable<string> Files() =>
        Directory.EnumerateFiles(Sources, "*.cs", SearchOption.AllDirectories)
            .Where(path => !Path.GetRelativePath(Sources, path).Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"));

    private static IEnumerable<string> Misplaced(string file, string source) =>
        from match in PublicType().Matches(source)
        let name = match.Groups["name"].Value
        where file.Split('.')[0] != name
        select $"{file}: {name}";

    // A declaration at the left edge: what is nested is indented.
    [GeneratedRegex(
        @"^public\s+((sealed|static|abstract|readonly|partial|ref|unsafe)\s+)*(record\s+struct|record|class|struct|interface|enum|delegate\s+\S+)\s+(?<name>\w+)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex PublicType();
}
