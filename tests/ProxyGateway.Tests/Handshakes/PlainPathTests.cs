using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes;

namespace ProxyGateway.Tests.Handshakes;

public sealed class PlainPathTests
{
    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/open")]
    [InlineData("/open/")]
    [InlineData("/open/file.tar.gz")]
    [InlineData("/open/...")]
    [InlineData("/open/a%20b")]
    [InlineData("/open/100%")]
    [InlineData("/open/50%20off")]
    [InlineData("/open/50%2")]
    [InlineData("/open/50%2520off")]
    [InlineData("/open/50%+1off")]
    [InlineData("/open/50%g1")]
    [InlineData("/open/50%1g")]
    [InlineData("/open/0%g")]
    [InlineData("/open/a%252520b")] // encoded three times
    [InlineData("/open/grüße")]
    public void A_path_that_every_server_reads_alike_passes(string path) => PlainPath.Is(new PathString(path)).ShouldBeTrue();

    [Theory]
    [InlineData("//agent")]
    [InlineData("/open//agent")]
    [InlineData("/open/../agent")]
    [InlineData("/open/./agent")]
    [InlineData("/open/..")]
    [InlineData("/open/..%2fagent")]
    [InlineData("/open/..%2Fagent")]
    [InlineData("/open/%2e%2e/agent")]
    [InlineData("/open/%252e%252e%252fagent")]
    [InlineData("/open/..%5cagent")]
    [InlineData("/open\\..\\agent")]
    [InlineData("/%2fagent")]
    [InlineData("/agent;v=1/ws")]
    [InlineData("/agent%3bv=1")]
    [InlineData("/open%00")]
    [InlineData("/%25252525252e")]
    [InlineData("/open/%c0%ae%c0%ae/agent")]
    [InlineData("/open/%c0")]
    [InlineData("/open/%zz%c0")]
    [InlineData("/open/a%25252520b")]
    [InlineData("/open/..;/agent")]
    [InlineData("/agent%2fx")]
    [InlineData("/agent%252fx")]
    [InlineData("/%61gent/x")] // to a server that decodes it once more than the gate
    [InlineData("/ag%2565nt/x")]
    [InlineData("/agent%2Dx")]
    [InlineData("/open/x%0d%0aHost:%20evil")]
    [InlineData("/open/x\t")]
    public void A_path_that_servers_may_read_differently_is_refused(string path) => PlainPath.Is(new PathString(path)).ShouldBeFalse();

    [Theory]
    [InlineData("/a%2fb/~c", true)]
    [InlineData("/a%2Fb", true)]
    [InlineData("/a/..%2fb", false)]
    [InlineData("/a%2f..%2f..%2fb", false)]
    [InlineData("/a%2f%2fb", false)]
    [InlineData("/a/../b", false)]
    [InlineData("//b", false)]
    [InlineData("/%61%2fb", false)]
    public void Slashes_may_be_encoded_where_a_device_is_admitted_but_nothing_else(string path, bool expected)
    {
        PlainPath.Is(new PathString(path), mayEncodeSlashes: true).ShouldBe(expected);
        PlainPath.Is(new PathString(path)).ShouldBeFalse();
    }
}
