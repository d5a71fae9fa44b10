using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

public sealed class LocalityReaderTests
{
    [Theory]
    [InlineData("localhost", true)]
    [InlineData("LocalHost:80", true)]
    [InlineData("a.localhost", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.255.255.255:1", true)]
    [InlineData("[::1]", true)]
    [InlineData("[::1]:8080", true)]
    [InlineData("[::ffff:127.0.0.1]:1", true)]
    [InlineData("", false)]
    [InlineData("localhost.", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("notlocalhost", false)]
    [InlineData("127.0.0.1.", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    [InlineData("127.1", false)]
    [InlineData("127.0.0.01", false)]
    [InlineData("0x7f.0.0.1", false)]
    [InlineData("0x7f000001", false)]
    [InlineData("2130706433", false)]
    [InlineData("0", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("[::]", false)]
    [InlineData("[::1%1]", false)]
    [InlineData("[0:0:0:0:0:0:0:1]", false)]
    [InlineData("[fe80::1%lo]", false)]
    [InlineData("128.0.0.1", false)]
    [InlineData("[::ffff:128.0.0.1]", false)]
    public void Only_what_can_mean_nothing_else_names_loopback(string host, bool expected) =>
        LocalityReader.NamesLoopback(new HostString(host)).ShouldBe(expected);
}
