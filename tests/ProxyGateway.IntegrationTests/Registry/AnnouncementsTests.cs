using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What a message on the channel of changes says: also one of a newer gateway.</summary>
public sealed class AnnouncementsTests
{
    private static readonly DeviceId Device = Some.Claim().Device;

    [Theory]
    [InlineData("{0} v1")]
    [InlineData("{0} v1 audience=agent-2")]
    [InlineData("{0} v1 a b c")]
    public void A_device_has_changed_whatever_else_is_said(string message) =>
        Announcements.Parse(message.Replace("{0}", Device.ToString(), StringComparison.Ordinal)).ShouldBe(new Announcement.Changed(Device, "v1"));

    [Fact]
    public void Another_gateway_is_alive() => Announcements.Parse("alive 0123456789abcdef").ShouldBeOfType<Announcement.Alive>();

    [Theory]
    [InlineData("")]
    [InlineData("rule-changed office")]
    [InlineData("alive")]
    [InlineData("alive2 0123456789abcdef")]
    public void What_is_not_understood_may_have_said_that_something_was_taken(string message) =>
        Announcements.Parse(message).ShouldBeOfType<Announcement.Resumed>();

    [Fact]
    public void A_device_without_a_version_is_not_understood() => Announcements.Parse(Device.ToString()).ShouldBeOfType<Announcement.Resumed>();
}
