using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Registry.Auditing;

/// <summary>A device that asks all the time pushes nobody out of the audit, and that it asked, as what and from where stays in it.</summary>
public sealed class RequestPaceTests : IAuditListener, IDisposable
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly CountedDrops _drops = new("proxygateway.audit.dropped");
    private readonly List<AuditEntry> _entered = [];
    private readonly AuditLog _audit;
    private readonly AuditEntry _admission = Admission();

    public RequestPaceTests() => _audit = new AuditLog(_time, _drops.Telemetry, NullLogger<AuditLog>.Instance, store: null, [this]);

    void IAuditListener.Entered(AuditEntry entry) => _entered.Add(entry);

    public void Dispose()
    {
        _audit.Dispose();
        _drops.Dispose();
    }

    [Fact]
    public void The_first_requests_of_a_minute_are_entered_and_the_rest_as_one()
    {
        Enter(_admission, 500).ShouldBe(10);
        _entered.ShouldAllBe(e => e.Kind == AuditKinds.DeviceAdmitted);

        _time.Advance(TimeSpan.FromMinutes(1));

        AuditEntry rest = _entered[^1];
        rest.ShouldBe(_admission with { Kind = AuditKinds.AdmissionsLeftOut, Count = 490, Time = _time.GetUtcNow(), Gateway = Environment.MachineName });
        AuditKinds.SourceOf(rest).ShouldBe(AuditSource.Devices);
        Enter(_admission, 11).ShouldBe(10, "the next minute has its own");
        _time.Advance(TimeSpan.FromMinutes(5));
        _entered[^1].Count.ShouldBe(1);
        _entered.Count.ShouldBe(22);
    }

    [Theory]
    [InlineData("device")]
    [InlineData("audience")]
    [InlineData("role")]
    [InlineData("address")]
    public void What_differs_is_counted_apart(string part)
    {
        AuditEntry other = part switch
        {
            "device" => _admission with { DeviceId = Some.Claim().Device },
            "audience" => _admission with { Audience = Audience.Parse("billing") },
            "role" => _admission with { Role = "node" },
            _ => _admission with { Address = "192.0.2.2" },
        };

        Enter(_admission, 20).ShouldBe(10);
        Enter(other, 20).ShouldBe(10);
    }

    [Fact]
    public void A_request_for_other_scopes_is_never_only_counted()
    {
        Enter(_admission, 20).ShouldBe(10);

        Enter(_admission with { Scopes = ScopeSet.Of("operator.admin") }, 20).ShouldBe(20);
    }

    [Fact]
    public void What_is_kept_for_a_minute_is_bounded_and_what_is_not_kept_is_entered()
    {
        Enter(_admission with { Address = "192.0.0.0", Scopes = ScopeSet.Of(Enumerable.Range(0, 9).Select(i => $"{i}" + new string('s', 127))) }, 20).ShouldBe(20);
        for (int i = 0; i < RequestPace.Most; i++)
            Enter(_admission with { Address = $"192.0.{i / 250}.{i % 250}" }, 1).ShouldBe(1);

        Enter(_admission with { Address = "198.51.100.1" }, 20).ShouldBe(20);
    }

    [Fact]
    public async Task A_stop_enters_the_count()
    {
        Enter(_admission, 12);

        await _audit.StopAsync(default);

        (_entered[^1].Kind, _entered[^1].Count).ShouldBe((AuditKinds.AdmissionsLeftOut, 2));
    }

    private static AuditEntry Admission() => new()
    {
        Kind = AuditKinds.DeviceAdmitted,
        DeviceId = Some.Claim().Device,
        Role = "operator",
        Scopes = ScopeSet.Of("operator.read"),
        Address = "192.0.2.1",
        Locality = LocalityKind.Remote,
    };

    private int Enter(AuditEntry admission, int count) => Enumerable.Range(0, count).Count(_ => _audit.TryEnterRequest(admission));
}
