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
    public void An_announcement_with_more_members_is_one_of_its_device(string message) =>
        Announcements.Parse(message.Replace("{0}", Device.ToString(), StringComparison.Ordinal)).ShouldBe(new Announcement.Changed(Device, "v1"));

    [Fact]
    public void A_sign_of_life_of_another_gateway_is_recognised() => Announcements.Parse("alive 0123456789abcdef").ShouldBeOfType<Announcement.Alive>();

    [Theory]
    [InlineData("")]
    [InlineData("rule-changed office")]
    [InlineData("alive")]
    [InlineData("alive2 0123456789abcdef")]
    public void An_unknown_announcement_counts_as_a_gap(string message) =>
        Announcements.Parse(message).ShouldBeOfType<Announcement.Resumed>();

    [Fact]
    public void An_announcement_without_a_version_counts_as_a_gap() => Announcements.Parse(Device.ToString()).ShouldBeOfType<Announcement.Resumed>();
}
