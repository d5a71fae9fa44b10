using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Tests.Clients;

/// <summary>Which nonce a client takes.</summary>
public sealed class NonceCacheTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly NonceCache _nonces;

    public NonceCacheTests() => _nonces = new NonceCache(_time);

    [Fact]
    public void The_newest_counts_for_all_of_an_origin_and_for_no_other()
    {
        _nonces.Keep(new Uri("https://gate.example/a"), "one");
        _nonces.Keep(new Uri("wss://GATE.example:443/b?c"), "two");

        _nonces.Find(new Uri("https://gate.example/d")).ShouldBe("two");
        _nonces.Find(new Uri("https://gate.example:8443/a")).ShouldBeNull();
        _nonces.Find(new Uri("https://other.example/a")).ShouldBeNull();
    }

    [Fact]
    public void One_is_too_old_after_a_while_and_when_the_clock_was_set()
    {
        var url = new Uri("https://gate.example/");
        _nonces.Keep(url, "one");

        _time.Advance(TimeSpan.FromSeconds(10));
        _nonces.Find(url, TimeSpan.FromSeconds(10)).ShouldBe("one");
        _time.Advance(TimeSpan.FromSeconds(1));
        _nonces.Find(url, TimeSpan.FromSeconds(10)).ShouldBeNull();
        _nonces.Find(url).ShouldBe("one");

        _nonces.Keep(url, "two");
        _time.AdjustTime(_time.GetUtcNow().AddDays(-1));
        _nonces.Find(url, TimeSpan.FromSeconds(10)).ShouldBeNull();
    }

    [Theory]
    [InlineData("")]
    [InlineData("with blank")]
    [InlineData("tab\t")]
    [InlineData("ümlaut")]
    public void What_cannot_be_a_nonce_is_not_kept(string text)
    {
        var url = new Uri("https://gate.example/");

        _nonces.Keep(url, text);
        _nonces.Keep(url, new string('x', 257));

        _nonces.Find(url).ShouldBeNull();
    }

    [Fact]
    public void Gateways_without_number_take_a_bounded_place()
    {
        for (int i = 0; i < 1000; i++)
            _nonces.Keep(new Uri($"https://gate{i}.example/"), "one");

        Enumerable.Range(0, 1000).Count(i => _nonces.Find(new Uri($"https://gate{i}.example/")) is not null).ShouldBeInRange(1, 256);
    }

    [Fact]
    public void A_forgotten_one_is_gone()
    {
        var url = new Uri("https://gate.example/");
        _nonces.Keep(url, "one");
        _nonces.Forget(new Uri("https://gate.example/other"));
        _nonces.Find(url).ShouldBeNull();
    }
}
