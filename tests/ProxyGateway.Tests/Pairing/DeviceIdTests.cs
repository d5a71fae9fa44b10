using System.Text.Json;
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

    [Fact]
    public void An_id_is_the_hash_of_the_key() =>
        DeviceId.Of([]).ToString().ShouldBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "SHA-256 of nothing, FIPS 180-4");

    [Theory]
    [InlineData("a50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6f", true)]
    [InlineData("A50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6f", false)]
    [InlineData("a50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6", false)]
    [InlineData("a50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6f0", false)]
    [InlineData("g50baa56832bd8e6dd592f137677debea9db809c374b089ea6989b608fe67e6f", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void An_id_is_64_hexadecimal_digits_in_lower_case(string? text, bool isOne)
    {
        DeviceId.TryParse(text, out DeviceId id).ShouldBe(isOne);
        string json = JsonSerializer.Serialize(text);
        if (isOne)
        {
            id.ToString().ShouldBe(text);
            DeviceId.Parse(text!).ShouldBe(id);
            JsonSerializer.Deserialize<DeviceId>(json).ShouldBe(id);
            JsonSerializer.Serialize(id).ShouldBe(json);
        }
        else
        {
            id.ShouldBe(default);
            Should.Throw<InvalidOperationException>(() => id.ToString());
            Should.Throw<FormatException>(() => DeviceId.Parse(text!));
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<DeviceId>(json));
        }
    }
}
