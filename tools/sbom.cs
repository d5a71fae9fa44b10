// Completes the bill of materials of CycloneDX: dotnet run tools/sbom.cs BOM VERSION-OF-DOTNET RID SECONDS
// Adds what is in the native program without being a package of the project, .NET and ASP.NET Core, and sets the time, so that the same commit has the same file.
#:property EnforceCodeStyleInBuild=false
#:property PublishAot=false
#:property RunAnalyzers=false
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

(string path, string runtime, string rid, long seconds) = (args[0], args[1], args[2], long.Parse(args[3], CultureInfo.InvariantCulture));
JsonObject bom = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
bom["metadata"]!["timestamp"] = DateTimeOffset.FromUnixTimeSeconds(seconds).UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
string program = (string)bom["metadata"]!["component"]!["bom-ref"]!;
JsonArray components = bom["components"]!.AsArray();
JsonArray edges = bom["dependencies"]!.AsArray();
JsonArray direct = edges.Single(e => (string)e!["ref"]! == program)!["dependsOn"]!.AsArray();
foreach ((string name, string description) in new[] { ($"Microsoft.NETCore.App.Runtime.NativeAOT.{rid}", ".NET"), ($"Microsoft.AspNetCore.App.Runtime.{rid}", "ASP.NET Core") })
{
    string reference = $"pkg:nuget/{name}@{runtime}";
    components.Add(new JsonObject
    {
        ["type"] = "framework",
        ["bom-ref"] = reference,
        ["name"] = name,
        ["version"] = runtime,
        ["description"] = description,
        ["scope"] = "required",
        ["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["id"] = "MIT" } }),
        ["purl"] = reference,
    });
    direct.Add(reference);
    edges.Add(new JsonObject { ["ref"] = reference, ["dependsOn"] = new JsonArray() });
}

File.WriteAllText(path, bom.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
