using System.Buffers.Text;
using System.Text;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Handshakes.Proof;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>What holds for every text that a stranger may send.</summary>
public sealed class ProofProperties
{
    [Property(MaxTest = 300)]
    public void A_proof_with_one_other_character_does_not_hold(ushort at, byte character, bool isP256)
    {
        using var proof = new SomeProof(isP256 ? "ES256" : "Ed25519");
        char[] text = proof.Text.ToCharArray();
        int index = at % text.Length;
        char other = (char)(character & 0x7F);
        if (text[index] == other)
            return;
        text[index] = other;
        proof.Verify(new string(text)).Proof.ShouldBeNull();
    }

    [Property(MaxTest = 200)]
    public void No_text_is_a_proof_or_throws(string text, byte[] bytes)
    {
        using var proof = new SomeProof();
        string[] parts = proof.Text.Split('.');
        proof.Verify(text ?? "").Proof.ShouldBeNull();
        proof.Verify($"{parts[0]}.{Base64Url.EncodeToString(bytes)}.{parts[2]}").Proof.ShouldBeNull();
        proof.Verify($"{Base64Url.EncodeToString(bytes)}.{parts[1]}.{parts[2]}").Proof.ShouldBeNull();
        proof.Verify(proof.Signer.Sign(Encoding.Latin1.GetString(bytes), text ?? "")).Proof.ShouldBeNull();
    }

    [Property(MaxTest = 200)]
    public void Every_value_has_one_spelling(byte[] bytes, ushort at, byte character)
    {
        if (bytes.Length == 0)
            return;
        char[] text = Base64Url.EncodeToString(bytes).ToCharArray();
        StrictBase64Url.TryDecode(text, out byte[] decoded).ShouldBeTrue();
        decoded.ShouldBe(bytes);
        text[at % text.Length] = (char)(character & 0x7F);
        if (StrictBase64Url.TryDecode(text, out decoded))
            Base64Url.EncodeToString(decoded).ShouldBe(new string(text));
    }

    [Property(MaxTest = 200)]
    public void A_path_is_normal_once_it_is_normalized(string path)
    {
        string normal = ProofUrl.Normalize(path ?? "");
        ProofUrl.Normalize(normal).Length.ShouldBeLessThanOrEqualTo(normal.Length);
        ProofUrl.Fits("http://localhost/" + path, "/" + path, []).ShouldBe(path?.AsSpan().ContainsAny('?', '#') != true);
    }
}
