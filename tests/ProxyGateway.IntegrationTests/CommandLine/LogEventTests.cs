using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>What the log can say, and that <c>docs/log.md</c> has it.</summary>
public sealed class LogEventTests
{
    private static readonly LoggerMessageAttribute[] Events =
    [
        .. ((Assembly[])
            [
                typeof(DeviceAuthOptions).Assembly, typeof(AdminOptions).Assembly, typeof(RedisStoreOptions).Assembly, typeof(SqliteStoreOptions).Assembly,
                Assembly.Load("proxygateway"),
            ])
            .SelectMany(a => a.GetTypes())
            .SelectMany(t => t.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>(),
    ];

    [Fact]
    public void Every_event_has_a_unique_id()
    {
        Events.Length.ShouldBeGreaterThan(60);
        Events.GroupBy(e => e.EventId).Where(g => g.Count() > 1).Select(g => g.Key).ShouldBeEmpty();
    }

    [Fact]
    public void Every_event_is_documented_with_its_level_and_text()
    {
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "log.md"));
        foreach (LoggerMessageAttribute e in Events)
        {
            string row = page.Split('\n').Where(l => l.StartsWith(string.Create(CultureInfo.InvariantCulture, $"| {e.EventId} |"), StringComparison.Ordinal))
                .ShouldHaveSingleItem($"{e.EventId} {e.Message}");
            row.ShouldContain(e.Message);
            if (e.Level != LogLevel.None)
                row.ShouldContain($"| {e.Level}");
        }

        page.Split('\n').Count(l => l.Length > 2 && char.IsDigit(l[2])).ShouldBe(Events.Length, "it has nothing that is not there");
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
