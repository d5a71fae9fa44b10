using ProxyGateway.DeviceAuth.Identity;

namespace ProxyGateway.Tests.Identity;

public sealed class HeaderSpellingTests
{
    [Theory]
    [InlineData("X-Device-Id", true)]
    [InlineData("x-device-id", true)]
    [InlineData("X_DEVICE_ID", true)]
    [InlineData("X-Device_Id", true)]
    [InlineData("X.Device.Id", true)] // lighttpd makes every sign an underscore
    [InlineData("X-Device~Id", true)]
    [InlineData("XDeviceId", false)]
    [InlineData("X-Device-Idx", false)]
    [InlineData("X-Device-Ie", false)]
    [InlineData("X-Device-I", false)]
    [InlineData("", false)]
    public void Names_that_some_backend_reads_alike_are_alike(string name, bool isAlike)
    {
        HeaderSpelling.Lax.Equals("X-Device-Id", name).ShouldBe(isAlike);
        HeaderSpelling.Lax.Equals(name, "X-Device-Id").ShouldBe(isAlike);
        (HeaderSpelling.Lax.GetHashCode(name) == HeaderSpelling.Lax.GetHashCode("X-Device-Id")).ShouldBe(isAlike);
    }
}
