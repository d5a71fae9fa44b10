using System.Buffers.Text;
using FsCheck;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

public sealed class PublicKeyTextTests
{
    [Property]
    public void Every_key_is_read_in_every_text_that_clients_send(int seed)
    {
        byte[] key = new byte[32];
        new Random(seed).NextBytes(key);
        string url = Base64Url.EncodeToString(key);
        string standard = Convert.ToBase64String(key);
        string pem = Convert.ToBase64String([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00, .. key]);

        foreach (string text in (string[])
        [
            url, $"{url}=", standard, standard.TrimEnd('='),
            $"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n",
            $"-----BEGIN PUBLIC KEY-----\r\n{pem[..32]}\r\n{pem[32..]}\r\n-----END PUBLIC KEY-----",
        ])
        {
            byte[] read = new byte[32];
            PublicKeyText.TryDecodeKey(text, read).ShouldBeTrue(text);
            read.ShouldBe(key);
        }
    }

    [Property(MaxTest = 500)]
    public void Any_text_is_read_or_refused_without_an_exception(NonNull<string> text, NonNegativeInt at, char character)
    {
        byte[] key = new byte[32];
        string spoiled = new string('A', 43).Remove(at.Get % 43, 1).Insert(at.Get % 43, character.ToString());
        foreach (string candidate in (string[])[text.Get, spoiled, $"-----BEGIN PUBLIC KEY-----{spoiled}-----END PUBLIC KEY-----"])
        {
            // Whatever is read has one spelling only, up to alphabet and padding.
            if (PublicKeyText.TryDecodeKey(candidate, key))
                Base64Url.EncodeToString(key).ShouldBe(candidate.Replace('+', '-').Replace('/', '_'));
        }
    }

    // "*" stands for the SubjectPublicKeyInfo of a key, "?" for that of a key of another kind (X25519, RFC 8410 §3).
    [Theory]
    [InlineData("-----BEGIN PUBLIC KEY-----*-----END PUBLIC KEY-----", true)]
    [InlineData("\n-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----\r\n", true)]
    [InlineData("-----BEGIN PUBLIC KEY-----?-----END PUBLIC KEY-----", false)]
    [InlineData("-----BEGIN PRIVAT KEY-----*-----END PUBLIC KEY-----", false)]
    [InlineData("-----BEGIN PUBLIC KEY-----*-----END PRIVAT KEY-----", false)]
    [InlineData(" -----BEGIN PUBLIC KEY-----*-----END PUBLIC KEY-----", false)]
    [InlineData("-----BEGIN PUBLIC KEY-----*-----END PUBLIC KEY----- ", false)]
    [InlineData("-----BEGIN PUBLIC KEY-----*", false)]
    [InlineData("*-----END PUBLIC KEY-----", false)]
    [InlineData("*", false)]
    [InlineData("-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----", false)]
    [InlineData("-----BEGIN PUBLIC KEY-----END PUBLIC KEY-----", false)]
    [InlineData("-----BEGIN PUBLIC KEY-----", false)]
    public void A_pem_is_of_an_Ed25519_key_and_nothing_else(string text, bool isKey)
    {
        string key = Convert.ToBase64String([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00, .. new byte[32]]);
        string other = Convert.ToBase64String([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x6E, 0x03, 0x21, 0x00, .. new byte[32]]);

        PublicKeyText.TryDecodeKey(text.Replace("*", key, StringComparison.Ordinal).Replace("?", other, StringComparison.Ordinal), new byte[32]).ShouldBe(isKey);
    }

    [Theory]
    [InlineData(63)]
    [InlineData(65)]
    public void A_signature_has_64_bytes(int length)
    {
        PublicKeyText.TryDecode(Base64Url.EncodeToString(new byte[length]), new byte[64]).ShouldBeFalse();
        PublicKeyText.TryDecode(Convert.ToBase64String(new byte[64]), new byte[64]).ShouldBeTrue();
    }
}
