using System.Collections.Immutable;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.Sessions;

/// <summary>A header that the configuration names is no sign of a proxy; once it is not named any more, who sent it may have been one.</summary>
public sealed class DevicelessSessionTests
{
    private static readonly DeviceAuthOptions Before = new()
    {
        SharedTokenSha256 = [1],
        RequestHeaders = ["Authorization", "X-Local"],
        Policy = new() { Deviceless = new() { Users = [1000], UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Empty) } },
    };

    private static readonly DevicelessAsk Ask =
        new(Audience.Default, "operator", ScopeSet.Empty, new ClientDescription("cli"), ShowsSharedToken: true, ActsForAnother: false);

    [Theory]
    [InlineData(false, "Authorization")]
    [InlineData(false, "Authorization", "X-Other")]
    [InlineData(true, "authorization", "x-local")]
    [InlineData(true, "X-Other", "X-Local", "Authorization")]
    public void A_reload_that_leaves_a_header_out_ends_it(bool stays, params string[] headers)
    {
        var settings = new Settings { Current = Before };
        var table = new SessionTable(new DeviceRegistry(null!), settings, TimeProvider.System);
        using DevicelessSession session = table.TryEnter(1000, Ask, Some.Loopback, limit: 1)!;
        session.TryAdmit(Before, settings).ShouldBeTrue();

        settings.Reload(Before with { RequestHeaders = [.. headers] });

        session.IsLive.ShouldBe(stays);
    }

    [Fact]
    public void What_ends_the_sessions_of_all_devices_does_not_end_it()
    {
        var settings = new Settings { Current = Before };
        var table = new SessionTable(new DeviceRegistry(null!), settings, TimeProvider.System);
        using DevicelessSession session = table.TryEnter(1000, Ask, Some.Loopback, limit: 1)!;
        session.TryAdmit(Before, settings).ShouldBeTrue();
        using DeviceSession device = table.TryEnter(Some.Claim(), Some.Loopback, limit: 1)!;

        table.CloseDevices(Closing.RegistryUnavailable);

        session.IsLive.ShouldBeTrue("the registry knows nothing of it");
        device.Closing.ShouldBe(Closing.RegistryUnavailable);
    }

    [Theory]
    [InlineData(false, "Authorization")]
    [InlineData(false, "Authorization", "X-Local", "X-Other")]
    [InlineData(true, "authorization", "x-local")]
    public void A_connection_that_came_while_other_headers_were_named_comes_again(bool isTheSame, params string[] headers) =>
        (Before with { RequestHeaders = [.. headers] }).HasTheSameDoor(Before).ShouldBe(isTheSame);

    private sealed class Settings : IDeviceAuthSettings
    {
        public event Action? Changed;

        public required DeviceAuthOptions Current { get; set; }

        public void Reload(DeviceAuthOptions options)
        {
            Current = options;
            Changed?.Invoke();
        }
    }
}
