using System.Security.Cryptography;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Clients;

/// <summary>A device's key, and the content of its file.</summary>
public sealed class DeviceIdentityTests
{
    // Written by the first release that had the command connect.
    private const string FirstRelease = """
        {
          "version": 1,
          "deviceId": "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9",
          "publicKey": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
          "privateKey": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
        }

        """;

    [Fact]
    public void A_file_of_the_first_release_is_read_and_written_unchanged()
    {
        using DeviceIdentity identity = DeviceIdentity.Import(FirstRelease);

        identity.Id.ShouldBe("21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
        identity.Export().ShouldBe(FirstRelease);
    }

    [Theory]
    [InlineData(DeviceAlgorithm.Ed25519)]
    [InlineData(DeviceAlgorithm.ES256)]
    public async Task What_is_exported_is_the_same_device_and_signs(DeviceAlgorithm algorithm)
    {
        for (int i = 0; i < 20; i++)
        {
            using DeviceIdentity created = DeviceIdentity.Create(algorithm);
            using DeviceIdentity read = DeviceIdentity.Import(created.Export());

            read.Algorithm.ShouldBe(algorithm);
            read.Id.ShouldBe(created.Id);
            read.Id.ShouldBe(DeviceId.Of(read.PublicKey.Span).ToString());
            IsSigned(read, await read.SignAsync("data"u8.ToArray(), default)).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("-----BEGIN PRIVATE KEY-----")]
    public void Anything_else_is_no_identity(string content) => Should.Throw<FormatException>(() => DeviceIdentity.Import(content));

    [Theory]
    [InlineData("\"version\": 1", "\"version\": 3")]
    [InlineData("\"version\": 1", "\"version\": 2")]
    [InlineData("\"version\": 1", "\"version\": 1, \"algorithm\": \"ES256\"")]
    [InlineData("\"version\": 1", "\"version\": 1, \"version\": 1")]
    [InlineData("\"version\": 1", "\"version\": 1, \"more\": 1")]
    [InlineData("11qYAYKx", "11qYAYKy")]
    [InlineData("nWGxne_9", "nWGxne_8")]
    [InlineData("nWGxne_9", "")]
    [InlineData("nWGxne_9", "nWGx+e_9")]
    public void A_damaged_file_is_no_identity(string text, string other) =>
        Should.Throw<FormatException>(() => DeviceIdentity.Import(FirstRelease.Replace(text, other, StringComparison.Ordinal)));

    [Fact]
    public void A_file_whose_keys_do_not_belong_together_is_no_identity()
    {
        using DeviceIdentity one = DeviceIdentity.Create(DeviceAlgorithm.ES256);
        using DeviceIdentity two = DeviceIdentity.Create(DeviceAlgorithm.ES256);
        string[] lines = one.Export().Split('\n');
        int at = Array.FindIndex(lines, line => line.Contains("privateKey", StringComparison.Ordinal));
        lines[at] = two.Export().Split('\n')[at];

        Should.Throw<FormatException>(() => DeviceIdentity.Import(string.Join('\n', lines)));
    }

    [Fact]
    public void The_fingerprint_is_what_operators_see()
    {
        string id = DeviceId.Of(new byte[32]).ToString();

        DeviceFingerprint.Of(id).ShouldBe(DeviceId.Parse(id).Fingerprint);
        Should.Throw<ArgumentException>(() => DeviceFingerprint.Of(id[1..]));
        Should.Throw<ArgumentException>(() => DeviceFingerprint.WordsOf(id.ToUpperInvariant()));
    }

    // The example of the list's authors.
    [Fact]
    public void The_words_are_those_of_the_PGP_word_list() =>
        DeviceFingerprint.WordsOf("E58294F2E9A227486E8B061B31CC528FD7FA3F19".ToLowerInvariant().PadRight(DeviceId.Length, '0'))
            .ShouldBe("topmost istanbul pluto vagabond treadmill pacific brackish dictator goldfish medusa");

    [Fact]
    public void Every_byte_has_a_word_of_its_own_at_even_and_odd_places()
    {
        string[] words = [.. Enumerable.Range(0, 256).SelectMany(b => PgpWords.Of([(byte)b, (byte)b]).Split(' '))];
        words.Distinct().Count().ShouldBe(512);
    }

    private static bool IsSigned(DeviceIdentity identity, byte[] signature)
    {
        byte[] key = identity.PublicKey.ToArray();
        if (identity.Algorithm == DeviceAlgorithm.Ed25519)
            return SignatureAlgorithm.Ed25519.Verify(NSec.Cryptography.PublicKey.Import(SignatureAlgorithm.Ed25519, key, KeyBlobFormat.RawPublicKey), "data"u8, signature);
        using var p256 = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = key[1..33], Y = key[33..] } });
        return p256.VerifyData("data"u8, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }
}
