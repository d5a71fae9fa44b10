using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Configuration;

/// <summary>Somebody who sets options in code reads their ranges in the doc comments only.</summary>
public sealed partial class DocumentedRangeTests
{
    private static readonly Lazy<Dictionary<string, string>> Documentation = new(Read);

    public static TheoryData<string> Ranges => [.. typeof(DeviceAuthRanges).GetFields().Select(f => f.Name).Where(n => n is not nameof(DeviceAuthRanges.Count))];

    public static TheoryData<string> Counts =>
    [
        .. typeof(DeviceAuthLimits).GetProperties().Where(p => p.PropertyType == typeof(int) || p.PropertyType == typeof(int?)).Select(NameOf),
        NameOf(typeof(DeviceAuthOptions).GetProperty(nameof(DeviceAuthOptions.MaxPendingRequests))!),
        NameOf(typeof(PairingPolicy).GetProperty(nameof(PairingPolicy.MaxDevicesByRules))!),
        NameOf(typeof(AutoApproveRule).GetProperty(nameof(AutoApproveRule.MaxDevicesPerHour))!),
    ];

    [Theory]
    [MemberData(nameof(Ranges))]
    public void Each_option_names_its_bounds(string range)
    {
        object bounds = typeof(DeviceAuthRanges).GetField(range)!.GetValue(null)!;
        string option = range.Replace("Shortest", "", StringComparison.Ordinal);
        PropertyInfo property = typeof(DeviceAuthOptions).GetProperty(option) ?? typeof(FreshnessOptions).GetProperty(option).ShouldNotBeNull();

        foreach (string bound in Words(bounds))
            Documentation.Value[NameOf(property)].ShouldContain(bound);
    }

    [Theory]
    [MemberData(nameof(Counts))]
    public void Each_count_names_its_bounds(string property) =>
        Documentation.Value[property].ShouldContain($"{Word(DeviceAuthRanges.Count.Min)} to {Word(DeviceAuthRanges.Count.Max)}");

    private static Dictionary<string, string> Read() => XDocument
        .Load(Path.ChangeExtension(typeof(DeviceAuthOptions).Assembly.Location, ".xml"))
        .Descendants("member")
        .ToDictionary(m => m.Attribute("name")!.Value, m => Blank().Replace(m.Element("summary")?.Value ?? "", " "));

    private static string NameOf(PropertyInfo property) => $"P:{property.DeclaringType!.FullName}.{property.Name}";

    private static IEnumerable<string> Words(object bounds) => bounds switch
    {
        NumberRange numbers => [Word(numbers.Min), Word(numbers.Max)],
        TimeSpan bound => [Word(bound)],
        _ => Span().Matches(bounds.ToString()!).Select(m => TimeSpan.Parse(m.Value, CultureInfo.InvariantCulture))
            .Where(span => span > TimeSpan.Zero || bounds.ToString()!.EndsWith("off", StringComparison.Ordinal)).Select(Word),
    };

    private static string Word(int number) => number switch
    {
        >= 1024 * 1024 when number % (1024 * 1024) == 0 => $"{number / 1024 / 1024} MiB",
        >= 1024 when number % 1024 == 0 => $"{number / 1024} KiB",
        _ => number.ToString("N0", CultureInfo.InvariantCulture),
    };

    private static string Word(TimeSpan span) => span switch
    {
        { Ticks: 0 } => "zero",
        { TotalDays: 1 } => "a day",
        { TotalDays: > 1 } => span.TotalDays.ToString("N0", CultureInfo.InvariantCulture) + " days",
        { TotalHours: 1 } => "an hour",
        { TotalMinutes: > 1 } => $"{span.TotalMinutes} minutes",
        { TotalSeconds: > 1 } => $"{span.TotalSeconds} seconds",
        _ => $"{span.TotalMilliseconds} ms",
    };

    [GeneratedRegex(@"\s+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Blank();

    [GeneratedRegex(@"(\d+\.)?\d\d:\d\d:\d\d(\.\d+)?", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Span();
}
