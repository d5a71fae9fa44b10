using System.Net;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Tests.Admin;

public sealed class ProvenAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:9090", "127.0.0.1:9090")]
    [InlineData("127.0.0.1:9090", "[::ffff:127.0.0.1]:9090")] // it listens on every address
    [InlineData("[::ffff:127.0.0.1]:9090", "127.0.0.1:9090")]
    [InlineData("[::1]:9090", "[::1]:9090")]
    [InlineData("127.0.0.1", "127.0.0.1:80")]
    public void A_request_over_http_names_the_address_at_which_it_arrived(string host, string local) =>
        ProvenAddress.Of(isHttps: false, new HostString(host), IPEndPoint.Parse(local)).ShouldBe(host);

    [Theory]
    [InlineData("127.0.0.1:9091", "127.0.0.1:9090")]
    [InlineData("127.0.0.1", "127.0.0.1:9090")]
    [InlineData("127.0.0.2:9090", "127.0.0.1:9090")]
    [InlineData("[::1]:9090", "127.0.0.1:9090")]
    [InlineData("[::1]:9090", "[::ffff:127.0.0.1]:9090")]
    [InlineData("127.0.0.1:9090", "[::1]:9090")]
    [InlineData("localhost:9090", "127.0.0.1:9090")]
    [InlineData("localhost", "127.0.0.1:80")]
    [InlineData("gateway.localhost:9090", "127.0.0.1:9090")]
    [InlineData("unix:", "127.0.0.1:80")]
    [InlineData("", "127.0.0.1:80")]
    public void A_request_that_names_another_address_gets_no_proof(string host, string local) =>
        ProvenAddress.Of(isHttps: false, new HostString(host), IPEndPoint.Parse(local)).ShouldBeNull();

    [Fact]
    public void A_proof_for_one_transport_is_invalid_for_another()
    {
        var local = IPEndPoint.Parse("127.0.0.1:9090");
        string?[] ways =
        [
            ProvenAddress.Of(isHttps: false, new HostString("127.0.0.1:9090"), local),
            ProvenAddress.Of(isHttps: true, new HostString("127.0.0.1:9090"), local),
            ProvenAddress.Of(isHttps: false, new HostString("localhost"), local: null),
            ProvenAddress.Of(isHttps: true, new HostString("unix:"), local),
        ];

        ways.ShouldBe(["127.0.0.1:9090", "https://127.0.0.1:9090", "unix:", "https://unix:"]);
    }

    [Theory]
    [InlineData("[::ffff:127.0.0.1]:9090", "127.0.0.1:9090")]
    [InlineData("127.0.0.1:80", "127.0.0.1:80")]
    [InlineData("[::1]:9090", "[::1]:9090")]
    public void A_client_names_the_address_that_it_is_connected_to(string end, string address) => ProvenAddress.Of(IPEndPoint.Parse(end)).ShouldBe(address);
}
