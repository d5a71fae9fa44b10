using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Registry;

/// <summary>A gateway that has not heard of changes for too long knows it, also when it wakes up.</summary>
public sealed class RegistryFreshnessTests
{
    private readonly TwoClocks _time = new();
    private readonly RegistryFreshness _freshness;

    public RegistryFreshnessTests() => _freshness = new RegistryFreshness(new FreshnessOptions(), _time);

    [Fact]
    public void A_gateway_that_has_slept_past_the_limit_is_stale_at_once()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        _freshness.IsStale.ShouldBeFalse();

        _time.Sleep(TimeSpan.FromHours(8));
        _freshness.IsStale.ShouldBeTrue();

        _freshness.Renew();
        _freshness.IsStale.ShouldBeFalse();
    }

    [Fact]
    public void A_wall_clock_that_is_set_back_does_not_prolong_freshness()
    {
        _time.SetBack(TimeSpan.FromHours(1));
        _time.Advance(new FreshnessOptions().StalenessLimit);

        _freshness.IsStale.ShouldBeTrue();
    }
}
