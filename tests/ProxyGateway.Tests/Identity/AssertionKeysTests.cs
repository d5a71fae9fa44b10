using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Identity;

/// <summary>No assertion is signed by a key that a backend may not find.</summary>
public sealed class AssertionKeysTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 12, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<AssertionKeys> _gateways = [];
    private readonly SharedRegistry _registry;

    public AssertionKeysTests() => _registry = new SharedRegistry(_time);

    public void Dispose() => _gateways.ForEach(keys => keys.Dispose());

    [Fact]
    public async Task A_key_signs_once_it_was_announced_for_a_minute()
    {
        AssertionKeys keys = await StartAsync();
        await AdvanceAsync(TimeSpan.FromSeconds(59));
        (keys.Current?.Id).ShouldBeNull();

        await AdvanceAsync(TimeSpan.FromSeconds(1));

        (keys.Current?.Id).ShouldBe(_registry.Names.ShouldHaveSingleItem());
    }

    [Fact]
    public async Task While_the_registry_is_away_from_the_start_nothing_is_signed()
    {
        _registry.IsAway = true;
        AssertionKeys keys = await StartAsync();
        await AdvanceAsync(TimeSpan.FromMinutes(5));
        (keys.Current?.Id).ShouldBeNull();

        _registry.IsAway = false;
        await AdvanceAsync(AssertionKeys.Interval);
        (keys.Current?.Id).ShouldBeNull("it has only now been announced");
        await AdvanceAsync(AssertionKeys.Notice);

        (keys.Current?.Id).ShouldNotBeNull();
    }

    [Fact]
    public async Task While_the_registry_is_away_an_announced_key_signs_for_as_long_as_backends_find_it()
    {
        AssertionKeys keys = await StartAsync();
        await AdvanceAsync(AssertionKeys.Notice);
        _registry.IsAway = true;

        await AdvanceAsync(TimeSpan.FromMinutes(60));
        (keys.Current?.Id).ShouldNotBeNull();
        _registry.Names.ShouldHaveSingleItem();
        await AdvanceAsync(TimeSpan.FromMinutes(5));

        (keys.Current?.Id).ShouldBeNull();
        _registry.Names.ShouldHaveSingleItem("what it signed last can still be verified");
    }

    [Fact]
    public async Task A_key_that_the_registry_has_lost_is_announced_again_and_signs_after_another_minute()
    {
        AssertionKeys keys = await StartAsync();
        await AdvanceAsync(AssertionKeys.Notice);
        string name = (keys.Current?.Id).ShouldNotBeNull();

        _registry.Lose();
        await AdvanceAsync(AssertionKeys.Interval);

        (keys.Current?.Id).ShouldBeNull();
        await AdvanceAsync(AssertionKeys.Notice);
        (keys.Current?.Id).ShouldBe(name);
    }

    [Fact]
    public async Task A_key_is_replaced_in_a_day_and_stays_an_hour_longer()
    {
        AssertionKeys keys = await StartAsync();
        await AdvanceAsync(AssertionKeys.Notice);
        string first = (keys.Current?.Id).ShouldNotBeNull();
        var set = new AssertionKeySet(_registry, _time);
        var lastSigned = _time.GetUtcNow();
        for (TimeSpan passed = AssertionKeys.Notice; passed < AssertionKeys.Life + TimeSpan.FromMinutes(10); passed += TimeSpan.FromMinutes(1))
        {
            string now = (keys.Current?.Id).ShouldNotBeNull("there is always one");
            (await NamesInAsync(set)).ShouldContain(now);
            if (now == first)
                lastSigned = _time.GetUtcNow();
            await AdvanceAsync(TimeSpan.FromMinutes(1));
        }

        (keys.Current?.Id).ShouldNotBe(first);
        while (_time.GetUtcNow() < lastSigned + TimeSpan.FromMinutes(60))
            await AdvanceAsync(TimeSpan.FromMinutes(1));
        (await NamesInAsync(set)).ShouldContain(first);
        await AdvanceAsync(TimeSpan.FromMinutes(15));
        (await NamesInAsync(set)).ShouldNotContain(first);
    }

    [Fact]
    public async Task Every_gateway_serves_the_keys_of_all()
    {
        AssertionKeys[] keys = [await StartAsync(), await StartAsync()];
        await AdvanceAsync(AssertionKeys.Notice);

        string[] current = [.. keys.Select(k => (k.Current?.Id).ShouldNotBeNull())];

        current[0].ShouldNotBe(current[1]);
        (await NamesInAsync(new AssertionKeySet(_registry, _time))).ShouldBe(current, ignoreOrder: true);
    }

    // Anybody may ask for them.
    [Fact]
    public async Task Many_who_ask_for_the_keys_cost_one_reading()
    {
        var set = new AssertionKeySet(_registry, _time);

        await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => set.GetJwksAsync(default)));
        _registry.Reads.ShouldBe(1);
        _registry.IsAway = true;
        _time.Advance(TimeSpan.FromSeconds(6));
        for (int i = 0; i < 100; i++)
            await set.GetJwksAsync(default);

        _registry.Reads.ShouldBe(2);
    }

    [Fact]
    public async Task While_the_registry_is_away_known_keys_are_served_until_they_expire()
    {
        await _registry.SwapAsync(null, new SharedDocument(AssertionKeySet.Group, "a", Encoding.UTF8.GetBytes("""{"kid":"a"}"""), _time.GetUtcNow() + TimeSpan.FromMinutes(5)), default);
        var set = new AssertionKeySet(_registry, _time);
        (await NamesInAsync(set)).ShouldBe(["a"]);
        _registry.IsAway = true;

        _time.Advance(TimeSpan.FromMinutes(4));
        (await NamesInAsync(set)).ShouldBe(["a"]);
        _time.Advance(TimeSpan.FromMinutes(2));
        (await NamesInAsync(set)).ShouldBeEmpty();

        await Should.ThrowAsync<RegistryUnavailableException>(() => new AssertionKeySet(_registry, _time).GetJwksAsync(default));
    }

    private static async Task<string[]> NamesInAsync(AssertionKeySet set)
    {
        using var json = JsonDocument.Parse(await set.GetJwksAsync(default));
        return [.. json.RootElement.GetProperty("keys").EnumerateArray().Select(k => k.GetProperty("kid").GetString()!)];
    }

    private async Task<AssertionKeys> StartAsync()
    {
        var keys = new AssertionKeys(new AssertionKeySet(_registry, _time), _time, NullLogger<AssertionKeys>.Instance);
        _gateways.Add(keys);
        await TendAsync();
        return keys;
    }

    private async Task AdvanceAsync(TimeSpan span)
    {
        for (TimeSpan left = span; left > TimeSpan.Zero; left -= AssertionKeys.Interval)
        {
            _time.Advance(left < AssertionKeys.Interval ? left : AssertionKeys.Interval);
            if (left >= AssertionKeys.Interval)
                await TendAsync();
        }
    }

    private async Task TendAsync()
    {
        foreach (AssertionKeys keys in _gateways)
        {
            try
            {
                await keys.TendAsync(default);
            }
            catch (RegistryUnavailableException)
            {
                // it tries again
            }
        }
    }

    /// <summary>What gateways share, which may be away.</summary>
    private sealed class SharedRegistry(FakeTimeProvider time) : ISharedDocumentStore
    {
        private int _reads;
        private ProcessDocuments _current = new(time);

        public bool IsAway { get; set; }

        public int Reads => Volatile.Read(ref _reads);

        public string[] Names => [.. Documents.Select(d => d.Name)];

        private IEnumerable<SharedDocument> Documents => _current.ListAsync(AssertionKeySet.Group, default).AsTask().Result.Items;

        public void Lose() => _current = new ProcessDocuments(time);

        public ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return IsAway ? throw new RegistryUnavailableException("away") : _current.ListAsync(group, cancellationToken);
        }

        public ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken) =>
            IsAway ? throw new RegistryUnavailableException("away") : _current.SwapAsync(previousVersion, next, cancellationToken);
    }
}
