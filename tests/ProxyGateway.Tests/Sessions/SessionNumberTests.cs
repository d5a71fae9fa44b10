using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Sessions;

/// <summary>The numbers by which operators name sessions.</summary>
public sealed class SessionNumberTests
{
    [Fact]
    public void A_gateway_that_starts_again_does_not_give_the_numbers_of_before()
    {
        DeviceSession before = SomeSession.Of(Some.Claim());
        DeviceSession after = SomeSession.Of(Some.Claim());

        after.Number.ShouldNotBe(before.Number);
        before.Number.ShouldBeInRange(1_000_000_000, 9_999_999_999);
    }
}
