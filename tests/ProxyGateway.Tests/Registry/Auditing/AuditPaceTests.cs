using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Registry.Auditing;

/// <summary>An address that is refused without end leaves the audit readable, and nothing that an operator needs is left out.</summary>
public sealed class AuditPaceTests : IAuditListener, IDisposable
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly CountedDrops _drops = new("proxygateway.audit.dropped");
    private readonly List<AuditEntry> _entered = [];
    private readonly AuditLog _audit;

    public AuditPaceTests() => _audit = new AuditLog(_time, _drops.Telemetry, NullLogger<AuditLog>.Instance, store: null, [this]);

    void IAuditListener.Entered(AuditEntry entry) => _entered.Add(entry);

    public void Dispose()
    {
        _audit.Dispose();
        _drops.Dispose();
    }

    [Fact]
    public void The_first_refusals_of_an_address_are_entered_and_the_rest_of_the_minute_as_one()
    {
        for (int i = 0; i < 500; i++)
            _audit.Enter(Refusal(i % 2 == 0 ? AuditKinds.DeviceRefused : AuditKinds.UpgradeRefused, "192.0.2.1"));
        _audit.Enter(Refusal(AuditKinds.DeviceRefused, "192.0.2.2"));
        Counts().ShouldBe([("192.0.2.1", 10), ("192.0.2.2", 1)]);

        _time.Advance(TimeSpan.FromMinutes(1));
        AuditEntry rest = _entered.Single(e => e.Kind == AuditKinds.RefusalsLeftOut);
        (rest.Address, rest.Count, rest.Time).ShouldBe(("192.0.2.1", 490, _time.GetUtcNow()));

        _audit.Enter(Refusal(AuditKinds.DeviceRefused, "192.0.2.1"));
        Counts()[0].ShouldBe(("192.0.2.1", 11), "the next minute has its own");
        _time.Advance(TimeSpan.FromMinutes(5));
        _entered.Count(e => e.Kind == AuditKinds.RefusalsLeftOut).ShouldBe(1, "nothing more was left out");
    }

    [Fact]
    public void A_host_with_many_addresses_counts_as_one()
    {
        for (int i = 0; i < 100; i++)
        {
            _audit.Enter(Refusal(AuditKinds.DeviceRefused, $"2001:db8::{i:x}"));
            _audit.Enter(Refusal(AuditKinds.DeviceRefused, $"127.0.0.{i + 1}"));
        }

        _entered.Count.ShouldBe(20);
    }

    [Fact]
    public void A_bounded_number_of_addresses_is_distinguished_and_all_others_count_as_one()
    {
        for (int i = 0; i < 3000; i++)
            _audit.Enter(Refusal(AuditKinds.DeviceRefused, $"192.0.{i / 250}.{i % 250}"));

        _entered.Count.ShouldBe(AuditPace.MostAddresses + AuditPace.PerMinute);
        _time.Advance(TimeSpan.FromMinutes(1));
        AuditEntry rest = _entered.Single(e => e.Kind == AuditKinds.RefusalsLeftOut);
        (rest.Address, rest.Count).ShouldBe((null, 3000 - AuditPace.MostAddresses - AuditPace.PerMinute));
    }

    [Fact]
    public void Only_refusals_are_held_back()
    {
        foreach (string kind in AuditKinds.All.Except([AuditKinds.DeviceRefused, AuditKinds.UpgradeRefused]))
        {
            for (int i = 0; i < 50; i++)
                _audit.Enter(Refusal(kind, "192.0.2.1"));
            _entered.Count(e => e.Kind == kind).ShouldBe(50, kind);
        }
    }

    [Fact]
    public async Task A_stop_enters_the_count_of_left_out_refusals()
    {
        for (int i = 0; i < 12; i++)
            _audit.Enter(Refusal(AuditKinds.DeviceRefused, "192.0.2.1"));

        await _audit.StopAsync(default);

        _entered[^1].Count.ShouldBe(2);
    }

    [Fact]
    public void A_refused_clients_texts_are_not_kept_for_the_minute()
    {
        using var pace = new AuditPace(_time, _entered.Add);
        WeakReference entry = EnterOne(pace);

        GC.Collect();

        entry.IsAlive.ShouldBeFalse();
        pace.Tell();
        _entered.ShouldBeEmpty("nothing was left out");
    }

    // A method of its own, so that no local of the test keeps the entry.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference EnterOne(AuditPace pace)
    {
        AuditEntry entry = Refusal(AuditKinds.DeviceRefused, "192.0.2.1") with { Scopes = ScopeSet.Of(new string('s', 128)) };
        pace.MayEnter(entry).ShouldBeTrue();
        return new WeakReference(entry);
    }

    private static AuditEntry Refusal(string kind, string address) => new() { Kind = kind, Address = address };

    private List<(string? Address, int Count)> Counts() =>
        [.. _entered.Where(e => e.Count == 0).GroupBy(e => e.Address).Select(g => (g.Key, g.Count())).OrderBy(g => g.Key, StringComparer.Ordinal)];
}
