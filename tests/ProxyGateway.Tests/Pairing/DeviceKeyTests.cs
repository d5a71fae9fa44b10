using System.Buffers.Text;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>What a raw key says by its length.</summary>
public sealed class DeviceKeyTests
{
    // RFC 8037, appendix A.3.
    [Fact]
    public void The_thumbprint_of_an_Ed25519_key_is_its_JWKs()
    {
        const string key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        DeviceKey.ThumbprintOf(key).ShouldBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        DeviceKey.AlgorithmOf(key).ShouldBe("Ed25519");
    }

    // RFC 9449 §4.1 and §6.1.
    [Fact]
    public void The_thumbprint_of_a_P256_key_is_its_JWKs()
    {
        byte[] key = [4, .. Base64Url.DecodeFromChars("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"), .. Base64Url.DecodeFromChars("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA")];
        string text = Base64Url.EncodeToString(key);
        DeviceKey.ThumbprintOf(text).ShouldBe("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        DeviceKey.AlgorithmOf(text).ShouldBe("ES256");
    }

    [Theory]
    [InlineData("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", 32)]
    [InlineData("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 32)]
    [InlineData("BJfLRa4cft-LVd4USEgQ2PcwpA5aQYReNlEFH1lQFgRb9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", 65)]
    [InlineData("ApfLRa4cft-LVd4USEgQ2PcwpA5aQYReNlEFH1lQFgRb9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", 0)]
    [InlineData("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR", 0)]
    [InlineData("", 0)]
    public void Keys_of_both_kinds_are_read(string text, int size)
    {
        DeviceKey.TryRead(text, out byte[] key).ShouldBe(size > 0);
        key.Length.ShouldBe(size);
    }

    [Theory]
    [InlineData("")]
    [InlineData("AAAA")]
    [InlineData("not base64!")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void A_key_of_another_length_says_nothing(string key) => (DeviceKey.AlgorithmOf(key), DeviceKey.ThumbprintOf(key)).ShouldBe((null, null));
}
