using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

public sealed class DeviceIdTests
{
    [Fact]
    public void A_fingerprint_is_the_first_80_bits_in_groups()
    {
        DeviceId id = DeviceId.Parse("a50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6f");

        id.Fingerprint.ShouldBe("a50b-aa56-832b-d8e6-dd59");
        id.Fingerprint.Replace("-", "", StringComparison.Ordinal).Length.ShouldBe(DeviceId.FingerprintDigits);
    }

    [Fact]
    public void Ids_that_begin_with_the_same_eight_digits_have_other_fingerprints()
    {
        DeviceId one = DeviceId.Parse("a50baa56" + new string('0', 56));
        DeviceId other = DeviceId.Parse("a50baa56" + new string('1', 56));

        other.Fingerprint.ShouldNotBe(one.Fingerprint);
    }
}
