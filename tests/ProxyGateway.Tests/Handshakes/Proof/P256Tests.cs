using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Handshakes.Proof;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>OpenSSL's own library and .NET find the same of every key and signature, whichever verifies.</summary>
public sealed class P256Tests : IDisposable
{
    private static readonly byte[] Order = Convert.FromHexString("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    private static readonly byte[] Prime = Convert.FromHexString("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF");

    private readonly ECDsa _signer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _hash = SHA256.HashData([1, 2, 3]);

    public void Dispose() => _signer.Dispose();

    [Fact]
    public void The_library_is_used_where_it_can_be() => OpenSslP256.IsUsable.ShouldBe(OperatingSystem.IsLinux());

    [Fact]
    public void A_signature_holds_for_its_key_and_message_alone()
    {
        using ECDsa other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] signature = Sign(_signer);

        P256.Verify(KeyOf(_signer), [1, 2, 3], signature).ShouldBeNull();
        P256.Verify(KeyOf(_signer), [1, 2, 4], signature).ShouldBe(ProofFault.Signature);
        P256.Verify(KeyOf(other), [1, 2, 3], signature).ShouldBe(ProofFault.Signature);
        P256.Verify(KeyOf(_signer), [1, 2, 3], signature).ShouldBeNull("nothing stays of the key before");
        P256.Verify(KeyOf(_signer), [1, 2, 3], signature.AsSpan(..63)).ShouldBe(ProofFault.Signature);
        P256.Verify(KeyOf(_signer), [1, 2, 3], [.. signature, 0]).ShouldBe(ProofFault.Signature);
    }

    // In place of r, and in place of s.
    [Theory]
    [InlineData("zero")]
    [InlineData("order")]
    [InlineData("most")]
    public void A_number_out_of_range_is_no_signature(string number)
    {
        byte[] spoilt = number == "zero" ? new byte[32] : number == "order" ? Order : [.. Enumerable.Repeat((byte)0xFF, 32)];
        byte[] signature = Sign(_signer);

        Verify(KeyOf(_signer), [.. spoilt, .. signature[32..]]).ShouldBe(ProofFault.Signature);
        Verify(KeyOf(_signer), [.. signature[..32], .. spoilt]).ShouldBe(ProofFault.Signature);
    }

    [Theory]
    [InlineData("zero")]
    [InlineData("prime")]
    [InlineData("off")]
    [InlineData("swapped")]
    public void A_key_that_is_no_point_of_the_curve_is_weak(string change)
    {
        byte[] key = KeyOf(_signer);
        byte[] spoilt = change switch
        {
            "zero" => [4, .. new byte[64]],
            "prime" => [4, .. Prime, .. key[33..]],
            "off" => [.. key[..64], (byte)(key[64] ^ 1)],
            _ => [4, .. key[33..], .. key[1..33]],
        };

        Verify(spoilt, Sign(_signer)).ShouldBe(ProofFault.KeyWeak);
        Verify(key, Sign(_signer)).ShouldBeNull("nothing stays of the key before");
    }

    [Fact]
    public void Numbers_with_leading_zeros_are_read()
    {
        byte[] signature = Enumerable.Range(0, 100_000).Select(_ => Sign(_signer)).First(s => (s[0] == 0 && s[1] < 0x80) || (s[32] == 0 && s[33] < 0x80)); // else DER has the zero, too

        Verify(KeyOf(_signer), signature).ShouldBeNull();
    }

    [Fact]
    public void Any_changed_bit_is_found_alike()
    {
        byte[] key = KeyOf(_signer);
        byte[] signature = Sign(_signer);
        for (int bit = 0; bit < 512; bit++)
        {
            Verify(key, Flip(signature, bit)).ShouldBe(ProofFault.Signature);
            Verify(Flip(key, 8 + bit), signature).ShouldBe(ProofFault.KeyWeak);
        }
    }

    // The next user of this thread's queue would take them for its own errors: TLS, for instance.
    [Fact]
    public void A_refusal_leaves_no_error_in_the_threads_queue()
    {
        if (!OpenSslP256.IsUsable)
            return;
        var peek = Marshal.GetDelegateForFunctionPointer<PeekError>(NativeLibrary.GetExport(NativeLibrary.Load("libcrypto.so.3"), "ERR_peek_error"));
        byte[] key = KeyOf(_signer);
        byte[] signature = Sign(_signer);

        OpenSslP256.Verify([.. key[..64], (byte)(key[64] ^ 1)], _hash, signature).ShouldBe(ProofFault.KeyWeak);
        peek().ShouldBe(0u);
        OpenSslP256.Verify(key, _hash, [.. new byte[32], .. signature[32..]]).ShouldBe(ProofFault.Signature);
        peek().ShouldBe(0u);
    }

    [Fact]
    public async Task Many_threads_verify_keys_of_their_own() => await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
    {
        using ECDsa signer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        for (int i = 0; i < 100; i++)
        {
            P256.Verify(KeyOf(signer), [1, 2, 3], Sign(signer)).ShouldBeNull();
            P256.Verify(KeyOf(signer), [1, 2, 3], Sign(_signer)).ShouldBe(ProofFault.Signature);
        }
    })));

    private delegate nuint PeekError();

    private static byte[] Flip(byte[] bytes, int bit)
    {
        byte[] flipped = [.. bytes];
        flipped[bit / 8] ^= (byte)(1 << (bit % 8));
        return flipped;
    }

    private static byte[] KeyOf(ECDsa signer)
    {
        ECPoint point = signer.ExportParameters(includePrivateParameters: false).Q;
        return [4, .. point.X!, .. point.Y!];
    }

    private ProofFault? Verify(byte[] key, byte[] signature)
    {
        ProofFault? found = P256.Verify(key, [1, 2, 3], signature);
        P256.VerifyByFramework(key, _hash, signature).ShouldBe(found);
        return found;
    }

    private byte[] Sign(ECDsa signer)
    {
        lock (signer)
            return signer.SignHash(_hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }
}
