using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.Forwarding;

namespace ProxyGateway.Tests.Clients;

/// <summary>Which URL a local client's request becomes, and which become none.</summary>
public sealed class ForwardTargetTests : IDisposable
{
    private readonly DeviceIdentity _device = DeviceIdentity.Create();

    public void Dispose() => _device.Dispose();

    [Theory]
    [InlineData("https://gate.example/agent", "/", "https://gate.example/agent")]
    [InlineData("https://gate.example/agent", "/?q=1", "https://gate.example/agent?q=1")]
    [InlineData("https://gate.example/agent/", "/", "https://gate.example/agent/")]
    [InlineData("https://gate.example/agent", "/x", "https://gate.example/agent/x")]
    [InlineData("https://gate.example/agent", "/a%2Fb/%20?q=%2F&r=a+b", "https://gate.example/agent/a%2Fb/%20?q=%2F&r=a+b")]
    [InlineData("https://gate.example/agent", "/a/../b", "https://gate.example/agent/b")]
    [InlineData("https://gate.example/agent", "//evil.example/x", "https://gate.example/agent//evil.example/x")]
    [InlineData("https://gate.example", "//evil.example/x", "https://gate.example//evil.example/x")]
    [InlineData("https://gate.example", "/@evil.example/x", "https://gate.example/@evil.example/x")]
    [InlineData("https://gate.example/agent", "http://127.0.0.1:7420/x?q=1", "https://gate.example/agent/x?q=1")]
    [InlineData("https://gate.example/agent", "/../x", null)]
    [InlineData("https://gate.example/agent", "/..", null)]
    [InlineData("https://gate.example/agent", "/%2e%2e/x", null)]
    [InlineData("https://gate.example/agent", "/..\\x", null)]
    [InlineData("https://gate.example/agent", "/../agents", null)]
    [InlineData("https://gate.example", "/.well-known/proxygateway/session", null)]
    [InlineData("https://gate.example", "/x/../.well-known/proxygateway/session", null)]
    [InlineData("https://gate.example", "/.WELL-known/%70roxygateway/session", null)]
    [InlineData("https://gate.example", "/%2Ewell-known\\proxygateway", null)]
    [InlineData("https://gate.example", "*", null)]
    [InlineData("https://gate.example", "", null)]
    [InlineData("https://gate.example", ".evil.example/x", null)]
    [InlineData("https://gate.example", ":8443/x", null)]
    [InlineData("https://gate.example", "@evil.example/x", null)]
    [InlineData("https://gate.example", "ftp://127.0.0.1/x", null)]
    public void A_request_stays_within_its_target(string target, string asked, string? expected)
    {
        using var forward = new ForwardTarget(ForwardAddress.Parse(ForwardAddress.Default), new Uri(target), _device, new ProofClaims(), trusted: null);

        forward.UrlOf(asked)?.AbsoluteUri.ShouldBe(expected);
        (forward.UrlOf(asked) is null).ShouldBe(expected is null);
    }

    [Theory]
    [InlineData("/agent/x?q=1#f", "/x?q=1#f")]
    [InlineData("https://gate.example/agent", "/")]
    [InlineData("https://gate.example/agent//evil.example/x", "/.//evil.example/x")]
    [InlineData("/elsewhere", "/elsewhere")]
    [InlineData("https://elsewhere.example/agent", "https://elsewhere.example/agent")]
    public void A_redirect_within_the_target_stays_at_this_listener(string location, string expected)
    {
        using var forward = new ForwardTarget(ForwardAddress.Parse(ForwardAddress.Default), new Uri("https://gate.example/agent"), _device, new ProofClaims(), trusted: null);

        forward.LocalOf(location).ShouldBe(expected);
    }
}
