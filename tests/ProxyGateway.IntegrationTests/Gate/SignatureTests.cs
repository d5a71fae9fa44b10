using System.Numerics;
using System.Text;
using ProxyGateway.DeviceAuth.Handshakes;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Two libraries, one opinion: what the gate takes for a signature is what OpenSSL takes for one, weak keys apart.</summary>
public sealed class SignatureTests
{
    // The order of the base point, RFC 8032 §5.1.
    private static readonly BigInteger Order = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493");

    [Fact]
    public void Libsodium_and_OpenSSL_agree_on_every_changed_signature()
    {
        var random = new Random(8032);
        int accepted = 0;
        for (int i = 0; i < 600; i++)
        {
            byte[] seed = new byte[32];
            random.NextBytes(seed);
            var device = new TestDevice(seed);
            string text = new('m', random.Next(300));
            byte[] message = Encoding.UTF8.GetBytes(text);
            byte[] key = [.. device.Key];
            byte[] signature = Signature(device, text);
            byte[] changed = random.Next(4) switch { 0 => key, 1 => message, 2 => signature, _ => [] };
            if (changed.Length > 0)
                changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));

            bool isGood = Ed25519.Verify(key, message, signature);

            isGood.ShouldBe(Ed25519.IsAcceptableKey(key) && TestDevice.OpenSslVerifies(key, message, signature), $"{i}");
            accepted += isGood ? 1 : 0;
        }

        accepted.ShouldBeInRange(100, 300);
    }

    [Fact]
    public void A_signature_has_one_form()
    {
        var device = new TestDevice();
        byte[] signature = Signature(device, "text");
        Ed25519.Verify(device.Key, "text"u8, signature).ShouldBeTrue();

        // S + L is the same number modulo L, and must not be the same signature (RFC 8032 §5.1.7).
        BigInteger other = new BigInteger(signature.AsSpan(32), isUnsigned: true) + Order;
        other.TryWriteBytes(signature.AsSpan(32), out _, isUnsigned: true).ShouldBeTrue();

        Ed25519.Verify(device.Key, "text"u8, signature).ShouldBeFalse();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(65)]
    public void A_signature_has_one_length(int length) =>
        Ed25519.Verify(new TestDevice().Key, "text"u8, new byte[length]).ShouldBeFalse();

    private static byte[] Signature(TestDevice device, string text) => System.Buffers.Text.Base64Url.DecodeFromChars(device.Sign(text));
}
