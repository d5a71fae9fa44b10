// What ./test --mutants says of the reports of dotnet-stryker: the survivors that nobody has explained, and the scores. Exit code 1 below a threshold, or if a survivor
// is not explained.
// dotnet run tools/mutants.cs FOLDER-OF-REPORTS EXPLAINED
#:property EnforceCodeStyleInBuild=false
#:property PublishAot=false
using System.Globalization;
using System.Text.Json;

const double InAll = 90;
(string Name, string Part, double Least)[] parts = [("Pairing", "/Pairing/", 95), ("Transitions", "/Registry/Transitions", 95)];

HashSet<string> explained = [.. (await File.ReadAllLinesAsync(args[1])).Where(l => !l.StartsWith('#') && l.Contains(" # ", StringComparison.Ordinal)).Select(l => l[..l.IndexOf(" # ", StringComparison.Ordinal)].Trim())];
var mutants = new List<(string File, string Text, int Line, string Status)>();
foreach (string path in Directory.GetFiles(args[0], "mutation-report*.json", SearchOption.AllDirectories))
{
    using JsonDocument report = JsonDocument.Parse(await File.ReadAllBytesAsync(path));
    foreach (JsonProperty file in report.RootElement.GetProperty("files").EnumerateObject())
    {
        string[] lines = file.Value.GetProperty("source").GetString()!.Split('\n');
        string name = file.Name.Replace('\\', '/');
        string shortName = name[(name.LastIndexOf("ProxyGateway.DeviceAuth/", StringComparison.Ordinal) + "ProxyGateway.DeviceAuth/".Length)..];
        foreach (JsonElement mutant in file.Value.GetProperty("mutants").EnumerateArray())
        {
            JsonElement start = mutant.GetProperty("location").GetProperty("start"), end = mutant.GetProperty("location").GetProperty("end");
            string text = $"{shortName}: {Between(lines, start, end)} -> {OnOneLine(mutant.GetProperty("replacement").GetString()!)}";
            mutants.Add((name, text, start.GetProperty("line").GetInt32(), mutant.GetProperty("status").GetString()!));
        }
    }
}

(string File, string Text, int Line, string Status)[] survivors = [.. mutants.Where(m => m.Status is "Survived" or "NoCoverage")];
(string File, string Text, int Line, string Status)[] unexplained = [.. survivors.Where(s => !explained.Contains(s.Text))];
foreach ((string _, string text, int line, string status) in unexplained)
    Console.WriteLine($"line {line}, {(status == "Survived" ? "survived" : "no test")}: {text}");

bool isEnough = unexplained.Length == 0;
string scores = Score("all", "", InAll) + string.Concat(parts.Select(p => ", " + Score(p.Name, p.Part, p.Least)));
Console.WriteLine($"mutants killed: {scores}; of {survivors.Length} survivors, {unexplained.Length} are not explained{(isEnough ? "" : ": too few are killed or explained")}");
return isEnough ? 0 : 1;

string Score(string name, string part, double least)
{
    var mine = mutants.Where(m => m.File.Contains(part, StringComparison.Ordinal)).ToArray();
    int killed = mine.Count(m => m.Status is "Killed" or "Timeout"), all = killed + mine.Count(m => m.Status is "Survived" or "NoCoverage");
    double score = all == 0 ? 0 : 100.0 * killed / all;
    isEnough &= score >= least || (all == 0 && part.Length > 0); // a part may be left out of a run
    return string.Create(CultureInfo.InvariantCulture, $"{name} {score:0.0} % ({killed} of {all}, at least {least:0} %)");
}

static string Between(string[] lines, JsonElement start, JsonElement end)
{
    (int fromLine, int from) = (start.GetProperty("line").GetInt32() - 1, start.GetProperty("column").GetInt32() - 1);
    (int toLine, int to) = (end.GetProperty("line").GetInt32() - 1, end.GetProperty("column").GetInt32() - 1);
    return OnOneLine(fromLine == toLine ? lines[fromLine][from..to] : string.Join('\n', [lines[fromLine][from..], .. lines[(fromLine + 1)..toLine], lines[toLine][..to]]));
}

static string OnOneLine(string text)
{
    string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    return line.Length <= 200 ? line : line[..200] + "…";
}
