using System.Collections.Concurrent;

namespace ProxyGateway.IntegrationTests.Soak;

/// <summary>What has happened, and how often.</summary>
internal sealed class SoakCounts
{
    private readonly ConcurrentDictionary<string, int> _counts = new();

    public int this[string what] => _counts.GetValueOrDefault(what);

    public void Add(string what) => _counts.AddOrUpdate(what, 1, static (_, n) => n + 1);

    public override string ToString() => string.Join(", ", _counts.OrderBy(c => c.Key).Select(c => $"{c.Key} {c.Value:N0}"));
}
