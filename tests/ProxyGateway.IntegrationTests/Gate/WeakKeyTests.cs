using System.Buffers.Text;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>
/// Keys that nobody in particular holds: under a point of small order anybody can make signatures, and a key with two encodings has two
/// ids. OpenSSL takes them.
/// </summary>
public sealed class WeakKeyTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private const string Identity = "0100000000000000000000000000000000000000000000000000000000000000";

    public static TheoryData<string> Keys =>
    [
        Identity,
        "0100000000000000000000000000000000000000000000000000000000000080", // the identity with the sign of x set
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000", // order 4
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p: another 0
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1: another 1
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 3: of large order, but another 3
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];

    [Theory]
    [MemberData(nameof(Keys))]
    public async Task A_weak_or_non_canonical_key_is_refused(string hex)
    {
        byte[] key = Convert.FromHexString(hex);
        DeviceId id = DeviceId.Of(key);
        string frame = new Ask
        {
            Tamper = f =>
            {
                f.Device()["id"] = id.ToString();
                f.Device()["publicKey"] = Base64Url.EncodeToString(key);
                f.Device()["signature"] = Base64Url.EncodeToString(Forgery());
            },
        }.SignedBy(new TestDevice());
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        await encounter.Client.SendTextAsync(frame);

        (await encounter.ShouldBeClosedAsync(1008, "device public key invalid")).ShouldNotBeNull();

        (await shared.Gateway.Registry.FindAsync(id, default)).ShouldBeNull();
    }

    [Theory]
    [InlineData(Identity)]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    public void OpenSSL_alone_would_accept_a_signature_that_nobody_made(string hex)
    {
        byte[] key = Convert.FromHexString(hex);

        TestDevice.OpenSslVerifies(key, "any message at all"u8.ToArray(), Forgery()).ShouldBeTrue();
        Ed25519.Verify(key, "any message at all"u8, Forgery()).ShouldBeFalse();
    }

    /// <summary>R is the identity and S is 0: under the identity as a key, that fits every message.</summary>
    private static byte[] Forgery() => [.. Convert.FromHexString(Identity), .. new byte[32]];
}
