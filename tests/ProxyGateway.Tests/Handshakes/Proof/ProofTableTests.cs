using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>What a proof must be, one fault at a time.</summary>
public sealed class ProofTableTests
{
    private const string Zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    [Theory]
    [InlineData("Ed25519", "Ed25519")]
    [InlineData("Ed25519", "EdDSA")]
    [InlineData("ES256", "ES256")]
    public void A_proof_of_each_algorithm_makes_a_claim(string key, string algorithm)
    {
        using var proof = new SomeProof(key);
        proof.Header["alg"] = algorithm;

        ProofExamination found = proof.Verify();

        found.Fault.ShouldBeNull();
        VerifiedProof verified = found.Proof.ShouldNotBeNull();
        verified.Claim.Device.ShouldBe(proof.Signer.Id);
        verified.Claim.PublicKey.ShouldBe(proof.Signer.PublicKey);
        (verified.Claim.Role, verified.Claim.Scopes.ToString(), verified.Id).ShouldBe(("client", "agent.use", "one"));
    }

    [Fact]
    public void A_proof_may_name_role_scopes_and_client()
    {
        using var proof = new SomeProof();
        proof.Claims["role"] = "node";
        proof.Claims["scope"] = "b a";
        proof.Claims["client"] = new JsonObject { ["id"] = "cli", ["displayName"] = "a\u202Eb", ["version"] = "1", ["platform"] = "linux", ["mode"] = "m", ["else"] = 1 };
        proof.Claims["anything"] = new JsonArray(1);
        proof.Header["kid"] = "any";
        proof.Header["jwk"]!["use"] = "sig";

        DeviceClaim claim = proof.Verify().Proof.ShouldNotBeNull().Claim;

        (claim.Role, claim.Scopes.ToString(), claim.Client).ShouldBe(("node", "a b", new ClientDescription("cli", "ab", "linux", "m")));
    }

    // The registry has no secret, only its hash, which names the invitation.
    [Fact]
    public void A_proof_may_come_with_an_invitation()
    {
        using var proof = new SomeProof();
        proof.Verify().Proof.ShouldNotBeNull().Claim.InvitationId.ShouldBeNull();

        proof.Claims["invitation"] = "AAAAAAAAAAAAAAAAAAAAAA";

        proof.Verify().Proof.ShouldNotBeNull().Claim.InvitationId.ShouldBe("8a5bdb4cc15164126c6ef2668de9dd24");
    }

    [Fact]
    public void An_empty_scope_asks_for_none()
    {
        using var proof = new SomeProof();
        proof.Claims["scope"] = "";
        proof.Verify().Proof.ShouldNotBeNull().Claim.Scopes.Count.ShouldBe(0);
    }

    // The JSON value of a member of the header, or nothing to leave it out; and the part that the answer names.
    [Theory]
    [InlineData("typ", null, "typ")]
    [InlineData("typ", "\"JWT\"", "typ")]
    [InlineData("typ", "\"DPOP+JWT\"", "typ")]
    [InlineData("typ", "1", "typ")]
    [InlineData("alg", null, "alg")]
    [InlineData("alg", "\"none\"", "alg")]
    [InlineData("alg", "\"HS256\"", "alg")]
    [InlineData("alg", "\"RS256\"", "alg")]
    [InlineData("alg", "\"es256\"", "alg")]
    [InlineData("alg", "[\"Ed25519\"]", "alg")]
    [InlineData("alg", "\"ES256\"", "jwk")]
    [InlineData("crit", "[]", "crit")]
    [InlineData("crit", "[\"b64\"]", "crit")]
    [InlineData("crit", "null", "crit")]
    [InlineData("jwk", null, "jwk")]
    [InlineData("jwk", "\"key\"", "jwk")]
    [InlineData("jwk", "{}", "jwk")]
    [InlineData("jwk", """{"kty":"OKP","crv":"Ed25519"}""", "jwk")]
    [InlineData("jwk", """{"kty":"OKP","crv":"Ed25519","x":1}""", "jwk")]
    [InlineData("jwk", """{"kty":"OKP","crv":"Ed25519","x":""}""", "jwk")]
    [InlineData("jwk", """{"kty":"OKP","crv":"Ed448","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}""", "jwk")]
    [InlineData("jwk", """{"kty":"OKP","crv":"X25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}""", "jwk")]
    [InlineData("jwk", """{"kty":1,"crv":"Ed25519"}""", "jwk")]
    [InlineData("jwk", """{"kty":"OKP","crv":null}""", "jwk")]
    [InlineData("jwk", """{"kty":"oct","k":"AAAA"}""", "jwk")]
    [InlineData("jwk", """{"kty":"RSA","n":"AAAA","e":"AQAB"}""", "jwk")]
    public void Of_the_header(string member, string? json, string part)
    {
        using var proof = new SomeProof();
        proof.Header.Remove(member);
        if (json is not null)
            proof.Header[member] = JsonNode.Parse(json);
        PartOf(proof.Verify()).ShouldBe(part);
    }

    [Theory]
    [InlineData("Ed25519", "d", Zero)]
    [InlineData("ES256", "d", Zero)]
    [InlineData("ES256", "d", "")]
    [InlineData("ES256", "k", Zero)]
    [InlineData("ES256", "crv", "P-384")]
    [InlineData("ES256", "crv", "p-256")]
    [InlineData("ES256", "crv", "secp256k1")]
    [InlineData("ES256", "kty", "OKP")]
    [InlineData("Ed25519", "kty", "EC")]
    [InlineData("ES256", "x", "AAAA")]
    [InlineData("ES256", "y", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // 33 bytes
    [InlineData("ES256", "y", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB")] // a bit is left over
    [InlineData("ES256", "y", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("ES256", "y", " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("ES256", "y", Zero)] // not on the curve
    [InlineData("ES256", "y", "__________________________________________8")] // more than the field has
    [InlineData("Ed25519", "x", Zero)] // of small order
    [InlineData("Ed25519", "x", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // the neutral element
    [InlineData("Ed25519", "x", "7f_______________________________________38")] // y = p
    public void Of_the_key(string key, string member, string value)
    {
        using var proof = new SomeProof(key);
        proof.Header["jwk"]![member] = value;
        ProofExamination found = proof.Verify();
        PartOf(found).ShouldBe("jwk");
        found.Fault!.Closing.Reason.ShouldBe("device public key invalid");
    }

    [Fact]
    public void The_point_of_no_curve_is_no_key()
    {
        using var proof = new SomeProof("ES256");
        proof.Header["jwk"]!["x"] = Zero;
        proof.Header["jwk"]!["y"] = Zero;
        PartOf(proof.Verify()).ShouldBe("jwk");
    }

    [Theory]
    [InlineData("htm", null, "htm")]
    [InlineData("htm", "\"GET\"", "htm")]
    [InlineData("htm", "\"post\"", "htm")]
    [InlineData("htm", "[\"POST\"]", "htm")]
    [InlineData("htu", null, "htu")]
    [InlineData("htu", "1", "htu")]
    [InlineData("htu", "\"\"", "htu")]
    [InlineData("htu", "\"/agent/work\"", "htu")]
    [InlineData("jti", null, "jti")]
    [InlineData("jti", "\"\"", "jti")]
    [InlineData("jti", "1", "jti")]
    [InlineData("jti", "\"a b\"", "jti")]
    [InlineData("jti", "\"a\\u0000\"", "jti")]
    [InlineData("jti", "\"\\u00e9\"", "jti")]
    [InlineData("jti", "\"\\u007f\"", "jti")]
    [InlineData("iat", null, "iat")]
    [InlineData("iat", "\"1\"", "iat")]
    [InlineData("iat", "null", "iat")]
    [InlineData("nonce", null, "nonce")]
    [InlineData("nonce", "null", "nonce")]
    [InlineData("nonce", "1", "nonce")]
    [InlineData("nonce", "\"\"", "nonce")]
    [InlineData("nonce", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", "nonce")]
    [InlineData("ath", "\"AAAA\"", "ath")]
    [InlineData("ath", "\"\"", "ath")]
    [InlineData("ath", "null", "ath")]
    [InlineData("role", "\"\"", "role")]
    [InlineData("role", "\"two words\"", "role")]
    [InlineData("role", "[\"client\"]", "role")]
    [InlineData("role", "null", "role")]
    [InlineData("scope", "[\"a\"]", "scope")]
    [InlineData("scope", "\" \"", "scope")]
    [InlineData("scope", "\"a  b\"", "scope")]
    [InlineData("scope", "\"a \"", "scope")]
    [InlineData("scope", "\"a\\tb\"", "scope")]
    [InlineData("scope", "\"a,b\"", "scope")]
    [InlineData("invitation", "null", "invitation")]
    [InlineData("invitation", "1", "invitation")]
    [InlineData("invitation", "\"\"", "invitation")]
    [InlineData("invitation", "\"AAAAAAAAAAAAAAAAAAAAA\"", "invitation")] // 21 characters
    [InlineData("invitation", "\"AAAAAAAAAAAAAAAAAAAAAAA\"", "invitation")]
    [InlineData("invitation", "\"AAAAAAAAAAAAAAAAAAAAA+\"", "invitation")]
    [InlineData("client", "\"cli\"", "client")]
    [InlineData("client", "null", "client")]
    [InlineData("client", "[]", "client")]
    [InlineData("client", "{\"id\":1}", "client")]
    [InlineData("client", "{\"version\":1}", "client")]
    public void Of_the_claims(string member, string? json, string part)
    {
        using var proof = new SomeProof();
        proof.Claims.Remove(member);
        if (json is not null)
            proof.Claims[member] = JsonNode.Parse(json);
        PartOf(proof.Verify()).ShouldBe(part);
    }

    [Theory]
    [InlineData(null, false, false, null)]
    [InlineData(null, true, false, null)]
    [InlineData(null, true, true, "ath")]
    [InlineData("hash", true, true, null)]
    [InlineData("hash", true, false, null)]
    [InlineData("hash", false, false, "ath")]
    [InlineData("HASH", true, true, "ath")]
    [InlineData("other", true, false, "ath")]
    public void Of_the_token_beside_it(string? hash, bool hasToken, bool isNeeded, string? part)
    {
        using var proof = new SomeProof();
        proof.Target = proof.Target with { TokenHash = hasToken ? "hash" : null, NeedsTokenHash = isNeeded };
        if (hash is not null)
            proof.Claims["ath"] = hash;
        PartOf(proof.Verify()).ShouldBe(part);
    }

    [Fact]
    public void An_id_has_at_most_128_characters_and_a_proof_64_scopes()
    {
        using var proof = new SomeProof();
        proof.Claims["jti"] = new string('a', 128);
        proof.Claims["scope"] = string.Join(' ', Enumerable.Range(0, 64));
        PartOf(proof.Verify()).ShouldBeNull();
        proof.Claims["scope"] = string.Join(' ', Enumerable.Range(0, 65));
        PartOf(proof.Verify()).ShouldBe("scope");
        proof.Claims["jti"] = new string('a', 129);
        PartOf(proof.Verify()).ShouldBe("jti");
    }

    [Theory]
    [InlineData(4096, null)]
    [InlineData(4097, "jwt")]
    public void A_proof_has_at_most_4096_characters(int length, string? part)
    {
        using var proof = new SomeProof();
        int room = (length - proof.Text.Length) * 3 / 4;
        for (int i = 0; i < 90 && proof.Text.Length != length; i++) // a part never has 4n + 1 characters, so two are padded
        {
            proof.Header["pad"] = new string('a', i % 3);
            proof.Claims["pad"] = new string('a', room - (i / 3));
        }

        proof.Text.Length.ShouldBe(length);
        PartOf(proof.Verify()).ShouldBe(part);
    }

    // H is the header, P the payload, S the signature of a proof that holds.
    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("H.P")]
    [InlineData("H.P.")]
    [InlineData(".P.S")]
    [InlineData("H..S")]
    [InlineData("H.P.S.")]
    [InlineData("H.P.S.S")]
    [InlineData(" H.P.S")]
    [InlineData("H.P.S ")]
    [InlineData("H.P.S\n")]
    [InlineData("H=.P.S")]
    [InlineData("H.P.S=")]
    [InlineData("H.P.S==")]
    [InlineData("H.P.S,H.P.S")]
    [InlineData("H.P.A")]
    [InlineData("H.P.+/AA")]
    [InlineData("AAAA.P.S")] // not UTF-8 JSON
    [InlineData("W10.P.S")] // []
    [InlineData("bnVsbA.P.S")] // null
    [InlineData("H.W10.S")]
    [InlineData("H.e30x.S")] // {}1
    [InlineData("77-9e30.P.S")] // a byte order mark and {}
    [InlineData("H.eyJhIjoi_yJ9.S")] // {"a":"<ff>"}
    public void Of_the_form(string form)
    {
        using var proof = new SomeProof();
        string[] parts = proof.Text.Split('.');
        string text = Regex.Replace(form, @"(?<![A-Za-z0-9_-])[HPS](?![a-z0-9])", part => parts["HPS".IndexOf(part.Value, StringComparison.Ordinal)], RegexOptions.None, TimeSpan.FromSeconds(1));
        PartOf(proof.Verify(text)).ShouldBe("jwt");
    }

    [Theory]
    [InlineData("""{"typ":"dpop+jwt",HEADER}""", "{CLAIMS}")]
    [InlineData("{HEADER}", """{"jti":"two",CLAIMS}""")]
    [InlineData("{HEADER}", """{"\u006ati":"two",CLAIMS}""")]
    [InlineData("{HEADER}", "{CLAIMS,}")]
    [InlineData("{HEADER}", "{CLAIMS}{}")]
    [InlineData("{HEADER}", "{CLAIMS/**/}")]
    [InlineData("{HEADER}", """{CLAIMS,"a":"\ud800"}""")]
    [InlineData("{HEADER}", """{CLAIMS,"__proto__":{}}""")]
    [InlineData("{HEADER}", """{CLAIMS,"client":{"id":"a","id":"b"}}""")]
    public void Of_the_JSON(string header, string claims)
    {
        using var proof = new SomeProof();
        header = header.Replace("HEADER", proof.Header.ToJsonString()[1..^1], StringComparison.Ordinal);
        claims = claims.Replace("CLAIMS", proof.Claims.ToJsonString()[1..^1], StringComparison.Ordinal);
        PartOf(proof.Verify(proof.Signer.Sign(header, claims))).ShouldBe("jwt");
    }

    [Theory]
    [InlineData("Ed25519")]
    [InlineData("ES256")]
    public void A_signature_has_one_spelling_and_is_the_keys_over_these_bytes(string algorithm)
    {
        using var proof = new SomeProof(algorithm);
        using var other = new SomeProof(algorithm);
        string[] parts = proof.Text.Split('.');
        byte[] signature = Base64Url.DecodeFromChars(parts[2]);

        PartOf(proof.Verify(string.Join('.', parts))).ShouldBeNull();
        Signed([.. signature[..^1], (byte)(signature[^1] ^ 1)]).ShouldBe("signature");
        Signed(signature[..^1]).ShouldBe("signature");
        Signed([.. signature, 0]).ShouldBe("signature");
        Signed(new byte[64]).ShouldBe("signature");
        Signed([0]).ShouldBe("signature");
        PartOf(proof.Verify($"{parts[0]}.{parts[1]}.{other.Text.Split('.')[2]}")).ShouldBe("signature");
        PartOf(proof.Verify($"{parts[0]}.{Encode(proof.Claims.ToJsonString() + " ")}.{parts[2]}")).ShouldBe("signature");
        PartOf(proof.Verify($"{Encode(proof.Header.ToJsonString() + " ")}.{parts[1]}.{parts[2]}")).ShouldBe("signature");

        // 64 bytes are 86 digits, of whose last four bits are left over.
        string stray = parts[2][..^1] + (char)(parts[2][^1] + 1);
        PartOf(proof.Verify($"{parts[0]}.{parts[1]}.{stray}")).ShouldBe("jwt");

        string? Signed(byte[] bytes) => PartOf(proof.Verify($"{parts[0]}.{parts[1]}.{Base64Url.EncodeToString(bytes)}"));
    }

    [Fact]
    public void An_ES256_signature_as_DER_is_none()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        System.Security.Cryptography.ECPoint q = key.ExportParameters(includePrivateParameters: false).Q;
        using var proof = new SomeProof("ES256");
        proof.Header["jwk"]!["x"] = Base64Url.EncodeToString(q.X);
        proof.Header["jwk"]!["y"] = Base64Url.EncodeToString(q.Y);
        string signed = $"{Encode(proof.Header.ToJsonString())}.{Encode(proof.Claims.ToJsonString())}";

        PartOf(proof.Verify($"{signed}.{Signature(System.Security.Cryptography.DSASignatureFormat.IeeeP1363FixedFieldConcatenation)}")).ShouldBeNull();
        PartOf(proof.Verify($"{signed}.{Signature(System.Security.Cryptography.DSASignatureFormat.Rfc3279DerSequence)}")).ShouldBe("signature");

        string Signature(System.Security.Cryptography.DSASignatureFormat format) =>
            Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), System.Security.Cryptography.HashAlgorithmName.SHA256, format));
    }

    // Client clocks are wrong by minutes, and boards without a battery begin in 1970.
    [Theory]
    [InlineData("0")]
    [InlineData("1e300")]
    [InlineData("-5")]
    [InlineData("1.5")]
    [InlineData("1796101200")]
    public void A_clients_clock_is_never_judged(string time)
    {
        using var proof = new SomeProof();
        proof.Claims["iat"] = JsonNode.Parse(time);
        PartOf(proof.Verify()).ShouldBeNull();
    }

    [Fact]
    public void A_refusal_knows_how_far_the_clients_clock_is_off()
    {
        using var proof = new SomeProof();
        proof.Claims["iat"] = proof.Time.GetUtcNow().ToUnixTimeSeconds() - 3600;
        proof.Claims["htm"] = "PUT";
        proof.Verify().ClockOffset.ShouldBe(-3600);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(120, true)]
    [InlineData(121, false)]
    [InlineData(-5, true)]
    [InlineData(-6, false)]
    public void A_nonce_is_good_for_its_life_and_a_little_before_by_another_gateways_clock(int age, bool isGood)
    {
        using var proof = new SomeProof();
        proof.Claims["nonce"] = ProofNonce.Issue(proof.NonceKey, proof.Time.GetUtcNow() - TimeSpan.FromSeconds(age));

        PartOf(proof.Verify()).ShouldBe(isGood ? null : "nonce");
    }

    [Fact]
    public void A_nonce_of_another_registry_or_of_a_key_that_is_gone_is_none()
    {
        using var proof = new SomeProof();
        var sameId = new NonceKey(proof.NonceKey.Id, [.. new byte[32]]);
        PartOf(proof.Verify(keys: new Keys(sameId))).ShouldBe("nonce");
        PartOf(proof.Verify(keys: new Keys(null))).ShouldBe("nonce");
        PartOf(proof.Verify(keys: new Keys(new NonceKey((byte)(proof.NonceKey.Id + 1), proof.NonceKey.Secret)))).ShouldBe("nonce");
        PartOf(proof.Verify(keys: new Keys(proof.NonceKey))).ShouldBeNull();
    }

    // A mark must outlive the acceptance by every gateway: twice the life, and twice what one may be ahead.
    [Theory]
    [InlineData(120, 120, 250)]
    [InlineData(1, 1, 12)]
    [InlineData(3600, 1795, 3600)]
    public void A_proof_is_remembered_for_longer_than_any_gateway_accepts_it(int skew, int life, int remembered)
    {
        TimeSpan found = ProofNonce.LifeOf(new DeviceAuthOptions { SignatureSkew = TimeSpan.FromSeconds(skew) });
        found.ShouldBe(TimeSpan.FromSeconds(life));
        ProofNonce.OnceOf("one", found).Period.ShouldBe(TimeSpan.FromSeconds(remembered));
    }

    // A flood of forgeries must cost an HMAC each, and no signature.
    [Fact]
    public void A_nonce_is_checked_before_the_key_and_the_signature()
    {
        using var proof = new SomeProof("ES256");
        proof.Claims["nonce"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        proof.Header["jwk"]!["y"] = Zero;
        string[] parts = proof.Text.Split('.');
        PartOf(proof.Verify($"{parts[0]}.{parts[1]}.AAAA")).ShouldBe("nonce");
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData("hash", null, true)]
    [InlineData("hash", "hash", true)]
    [InlineData("hash", "HASH", false)]
    [InlineData(null, "hash", false)]
    public void A_proof_for_a_token_goes_with_that_token(string? token, string? claim, bool isGood)
    {
        using var proof = new SomeProof();
        proof.Target = proof.Target with { TokenHash = token };
        if (claim is not null)
            proof.Claims["ath"] = claim;
        PartOf(proof.Verify()).ShouldBe(isGood ? null : "ath");
    }

    // As many are verified at a time as there are processors. If each kept its place, the gate would soon verify none.
    [Fact]
    public async Task The_place_of_a_proof_that_is_verified_is_free_again()
    {
        using var proof = new SomeProof();
        using var verifier = new ProofVerifier(new Keys(proof.NonceKey), proof.Time);
        for (int i = 0; i <= Environment.ProcessorCount; i++)
        {
            ProofExamination found = await verifier.VerifyAsync(proof.Text, proof.Target, [.. proof.PublicOrigins], proof.Life, default).AsTask().WaitAsync(Endpoint.Patience);
            found.Fault.ShouldBeNull();
        }
    }

    private static string? PartOf(ProofExamination found)
    {
        (found.Proof is null).ShouldBe(found.Fault is not null);
        return found.Fault?.Part;
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private sealed class Keys(NonceKey? key) : INonceKeys
    {
        public NonceKey Current => key!;

        public ValueTask<NonceKey?> FindAsync(byte id, CancellationToken cancellationToken) => new(key);
    }
}
