using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

public sealed class SubnetTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.0/24")]
    [InlineData("::ffff:192.0.2.255", "192.0.2.0/24")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48")]
    [InlineData("fe80::1%3", "fe80::/48")]
    [InlineData("127.0.0.1", null)]
    [InlineData("::1", null)]
    [InlineData("::ffff:127.0.0.9", null)]
    [InlineData("unknown", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void A_subnet_is_a_24_or_a_48(string? address, string? subnet) => Subnet.Of(address).ShouldBe(subnet);
}
