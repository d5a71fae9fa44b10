using ProxyGateway.DeviceAuth.Handshakes;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>Which keys may be a device's, and which signatures are one's.</summary>
public sealed class Ed25519Tests
{
    // RFC 8032 §7.1, test 3.
    private static readonly byte[] Key = Convert.FromHexString("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    private static readonly byte[] Message = Convert.FromHexString("af82");

    private static readonly byte[] Signature = Convert.FromHexString(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");

    [Fact]
    public void A_signature_is_the_keys_over_the_message()
    {
        Ed25519.EnsureSupported();
        Ed25519.Verify(Key, Message, Signature).ShouldBeTrue();
        Ed25519.Verify(Key, [0xAF, 0x83], Signature).ShouldBeFalse();
        Ed25519.Verify(Key, Message, [.. Signature[..^1], 0x0B]).ShouldBeFalse();
        Ed25519.Verify([.. Key[..^1], 0x24], Message, Signature).ShouldBeFalse();
    }

    [Theory]
    [InlineData(63, 32)]
    [InlineData(65, 32)]
    [InlineData(0, 32)]
    [InlineData(64, 31)]
    [InlineData(64, 33)]
    [InlineData(64, 0)]
    public void A_key_or_signature_of_another_length_does_not_verify(int signature, int key) => Ed25519.Verify(Resize(Key, key), Message, Resize(Signature, signature)).ShouldBeFalse();

    // Points of small order, and encodings that are not canonical: y = p, p + 1, 2^255 - 1. Each with both signs of x.
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    public void Under_such_a_key_anybody_can_sign(string hex)
    {
        byte[] key = Convert.FromHexString(hex);
        Ed25519.IsAcceptableKey(key).ShouldBeFalse();
        key[^1] |= 0x80;
        Ed25519.IsAcceptableKey(key).ShouldBeFalse();
    }

    [Theory]
    [InlineData("ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f")]
    [InlineData("edfeffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7e")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00")]
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")]
    public void Any_other_value_below_p_may_be_one(string hex)
    {
        byte[] key = Convert.FromHexString(hex);
        Ed25519.IsAcceptableKey(key).ShouldBeTrue();
        key[^1] |= 0x80;
        Ed25519.IsAcceptableKey(key).ShouldBeTrue();
        Ed25519.IsAcceptableKey(key.AsSpan(..^1)).ShouldBeFalse();
    }

    private static byte[] Resize(byte[] bytes, int length)
    {
        byte[] resized = new byte[length];
        bytes.AsSpan(0, Math.Min(length, bytes.Length)).CopyTo(resized);
        return resized;
    }
}
