using System.Net;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

/// <summary>Which addresses one host, or one process, may have to itself.</summary>
public sealed class AddressBlockTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2::", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:3::", "2001:db8:1:3::/64")]
    [InlineData("fe80::1%3", "fe80::/64")]
    [InlineData("127.0.0.1", "loopback")]
    [InlineData("127.255.1.2", "loopback")]
    [InlineData("::1", "loopback")]
    [InlineData("::ffff:127.0.0.9", "loopback")]
    [InlineData(null, "-")]
    public void Addresses_that_one_client_may_own_count_as_one(string? address, string block)
    {
        AddressBlock.Of(address).ShouldBe(block);
        AddressBlock.Of(address is null ? null : IPAddress.Parse(address)).ShouldBe(block);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48")]
    [InlineData("::1", "loopback")]
    [InlineData(null, "-")]
    public void Addresses_of_one_48_count_as_one_for_connections(string? address, string block) =>
        AddressBlock.SiteOf(address is null ? null : IPAddress.Parse(address)).ShouldBe(block);
}
