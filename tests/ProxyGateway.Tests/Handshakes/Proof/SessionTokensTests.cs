using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>What a session token must be, one fault at a time.</summary>
public sealed class SessionTokensTests
{
    private const string Domain = "proxygateway session token\n";
    private const int MacSize = 32;

    private static readonly Audience Mail = Audience.Parse("mail");

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 12, 1, 5, 0, 0, TimeSpan.Zero));
    private readonly SomeKeys _keys = new();
    private readonly DeviceClaim _claim = Some.Claim("client", "a.read", "a.write") with { Audience = Mail, Client = new ClientDescription("cli", "Jürgens Gerät", null, "m") };
    private readonly SessionTokens _tokens;
    private readonly DeviceRecord _record;

    public SessionTokensTests()
    {
        _tokens = new SessionTokens(_keys, _time);
        _record = Some.Paired(_claim, _time.GetUtcNow()) with { Version = "0123456789abcdef01234567" };
    }

    [Fact]
    public void A_token_says_what_was_proved_by_which_version_of_the_record()
    {
        (SessionToken? token, SessionTokenFault? fault) = Open(Issue());

        fault.ShouldBeNull();
        token.ShouldBe(new SessionToken(_claim with { RecordVersion = _record.Version }, TimeSpan.Zero));
    }

    [Fact]
    public void A_token_holds_as_many_scopes_as_a_claim()
    {
        DeviceClaim wide = _claim with { Scopes = ScopeSet.Of(Enumerable.Range(0, DeviceClaim.MaxScopes).Select(i => i.ToString("D128", null))) };
        string text = _tokens.Issue(wide, _record).Token;

        text.Length.ShouldBeInRange(11_000, SessionTokens.MaxLength);
        Open(text).Token.ShouldNotBeNull().Claim.Scopes.ShouldBe(wide.Scopes);
        ReasonOf(text[..^1] + (text[^1] == 'A' ? 'B' : 'A')).ShouldBe("invalid");
    }

    [Theory]
    [InlineData("id", null, null, null)]
    [InlineData(null, "name", null, null)]
    [InlineData(null, null, "platform", null)]
    [InlineData(null, null, null, "mode")]
    [InlineData(null, null, null, null)]
    public void A_token_says_of_the_client_what_the_proof_said(string? id, string? displayName, string? platform, string? mode)
    {
        var client = new ClientDescription(id, displayName, platform, mode);

        Open(_tokens.Issue(_claim with { Client = client }, _record).Token).Token.ShouldNotBeNull().Claim.Client.ShouldBe(client);
    }

    [Fact]
    public void A_token_is_of_a_key_of_either_kind()
    {
        using ProofSigner signer = ProofSigner.WithP256();
        DeviceClaim claim = _claim with { Device = signer.Id, PublicKey = signer.PublicKey };

        DeviceClaim opened = Open(_tokens.Issue(claim, _record).Token).Token.ShouldNotBeNull().Claim;

        (opened.Device, opened.PublicKey).ShouldBe((signer.Id, signer.PublicKey));
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(299, null)]
    [InlineData(300, "expired")]
    [InlineData(100_000_000, "expired")]
    [InlineData(-5, null)] // a gateway's clock may be ahead of another's
    [InlineData(-6, "expired")]
    public void A_token_is_good_for_five_minutes(int seconds, string? reason)
    {
        string text = Issue();
        _time.AdjustTime(_time.GetUtcNow() + TimeSpan.FromSeconds(seconds));
        ReasonOf(text).ShouldBe(reason);
    }

    [Fact]
    public void A_token_ends_with_the_grant_if_that_is_earlier()
    {
        _tokens.Issue(_claim, _record).ExpiresAt.ShouldBe(_time.GetUtcNow() + TimeSpan.FromMinutes(5));
        foreach ((int minutes, int expected) in ((int, int)[])[(2, 2), (10, 5)])
        {
            DateTimeOffset until = _time.GetUtcNow() + TimeSpan.FromMinutes(minutes);
            DeviceRecord ending = _record with { Grants = _record.Grants.SetItem(_claim.Key, _record.Grants[_claim.Key] with { Until = until }) };
            _tokens.Issue(_claim, ending).ExpiresAt.ShouldBe(_time.GetUtcNow() + TimeSpan.FromMinutes(expected));
        }
    }

    [Theory]
    [InlineData("mail", null)]
    [InlineData("default", "audience")]
    [InlineData("mails", "audience")]
    public void A_token_is_for_one_audience(string audience, string? reason) =>
        (Open(Issue(), Audience.Parse(audience)).Fault?.Reason).ShouldBe(reason);

    // T is a token that holds.
    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("T ")]
    [InlineData(" T")]
    [InlineData("T=")]
    [InlineData("T\n")]
    [InlineData("T,T")]
    [InlineData("T.T")]
    [InlineData("TT")]
    [InlineData("TA")]
    [InlineData("AQ")]
    [InlineData("AQAA")]
    [InlineData("Bearer T")]
    [InlineData("\"T\"")]
    [InlineData("é")]
    public void A_token_has_one_spelling(string form) => ReasonOf(form.Replace("T", Issue(), StringComparison.Ordinal)).ShouldBe("invalid");

    [Fact]
    public void A_token_has_no_bits_that_are_left_over()
    {
        string text = Issue();
        (text.Length % 4).ShouldNotBe(0, "the test needs a token whose last digit has such bits");
        ReasonOf(text[..^1] + (char)(text[^1] + 1)).ShouldBe("invalid");
    }

    [Fact]
    public void Not_one_bit_of_a_token_can_be_changed()
    {
        byte[] token = Base64Url.DecodeFromChars(Issue());
        for (int i = 0; i < token.Length * 8; i++)
        {
            byte[] changed = [.. token];
            changed[i / 8] ^= (byte)(1 << (i % 8));
            ReasonOf(Base64Url.EncodeToString(changed)).ShouldBe("invalid", $"bit {i}");
        }
    }

    [Fact]
    public void No_part_of_a_token_is_one()
    {
        byte[] token = Base64Url.DecodeFromChars(Issue());
        for (int length = 0; length < token.Length; length++)
        {
            ReasonOf(Base64Url.EncodeToString(token.AsSpan(..length))).ShouldBe("invalid");
            ReasonOf(Base64Url.EncodeToString(token.AsSpan(^length..))).ShouldBe("invalid");
        }
    }

    [Fact]
    public void A_request_has_one_token()
    {
        string text = Issue();
        Open(new StringValues([text, text])).Fault.ShouldBe(SessionTokenFault.MoreThanOne);
        Open(StringValues.Empty).Fault.ShouldBe(SessionTokenFault.MoreThanOne);
        Open(new StringValues((string?)null!)).Fault.ShouldNotBeNull();
    }

    [Fact]
    public void A_token_is_of_a_key_that_the_registry_has()
    {
        string text = Issue();
        NonceKey key = _keys.Current;
        _keys.Rotate();
        ReasonOf(text).ShouldBeNull("the previous key counts");
        ReasonOf(Issue()).ShouldBeNull();
        _keys.Rotate();
        ReasonOf(text).ShouldBe("invalid");
        _keys.Current = new NonceKey(key.Id, [.. RandomNumberGenerator.GetBytes(NonceKey.Size)]);
        ReasonOf(text).ShouldBe("invalid", "another key of the same number");
    }

    // A nonce is for everybody. If one MAC could stand for the other, strangers would get tokens.
    [Fact]
    public void The_MAC_of_a_nonce_is_that_of_no_token()
    {
        byte[] body = Base64Url.DecodeFromChars(Issue())[..^MacSize];
        ReasonOf(Forge(body, Domain)).ShouldBeNull("the test can make tokens");
        ReasonOf(Forge(body, "")).ShouldBe("invalid");
        ReasonOf(Forge(body, "proxygateway session token")).ShouldBe("invalid");
        ReasonOf(ProofNonce.Issue(_keys.Current, _time.GetUtcNow())).ShouldBe("invalid");
        ProofNonce.TryRead(Issue(), out _).ShouldBeFalse();
    }

    // Another version of the program could write them. None is read as something else.
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(255)]
    public void A_token_of_another_format_is_none(byte format)
    {
        byte[] body = Base64Url.DecodeFromChars(Issue())[..^MacSize];
        body[0] = format;
        ReasonOf(Forge(body, Domain)).ShouldBe("invalid");
    }

    [Theory]
    [InlineData("KEY\nv\nmail\nclient\na\n\n\n\n\n", null)]
    [InlineData("KEY\nv\nmail\nclient\n\n\n\n\n\n", null)]
    [InlineData("KEY\nv\nmail\nclient\na\n\n\n\n", "invalid")]
    [InlineData("KEY\nv\nmail\nclient\na\n\n\n\n\n\n", "invalid")]
    [InlineData("KEY\nv\nmail\nclient\na\n\n\n\n\nmore", "invalid")]
    [InlineData("KEY\nv\nMAIL\nclient\na\n\n\n\n\n", "invalid")]
    [InlineData("KEY\nv\n\nclient\na\n\n\n\n\n", "invalid")]
    [InlineData("KEY\nv\nmail\nclient\na  b\n\n\n\n\n", "invalid")]
    [InlineData("KEY\n\nmail\nclient\na\n\n\n\n\n", "invalid")]
    [InlineData("\nv\nmail\nclient\na\n\n\n\n\n", "invalid")]
    [InlineData("=\nv\nmail\nclient\na\n\n\n\n\n", "invalid")]
    [InlineData("", "invalid")]
    [InlineData("\n", "invalid")]
    public void What_has_the_MAC_is_still_read_strictly(string parts, string? reason)
    {
        byte[] body = [.. Base64Url.DecodeFromChars(Issue())[..6], .. Encoding.UTF8.GetBytes(parts.Replace("KEY", _claim.PublicKey, StringComparison.Ordinal))];
        ReasonOf(Forge(body, Domain)).ShouldBe(reason);
    }

    // A flood of forgeries must not become one of look-ups.
    [Fact]
    public void A_forged_token_asks_for_its_key_and_nothing_else()
    {
        byte[] token = Base64Url.DecodeFromChars(Issue());
        token[^1] ^= 1;
        _keys.Asked.Clear();
        ReasonOf(Base64Url.EncodeToString(token)).ShouldBe("invalid");
        ReasonOf(new string('A', SessionTokens.MaxLength + 4)).ShouldBe("invalid");
        ReasonOf("AQAA" + new string('A', SessionTokens.MaxLength)).ShouldBe("invalid");
        _keys.Asked.ShouldBe([_keys.Current.Id]);
        ReasonOf("AQAA" + new string('A', SessionTokens.MaxLength - 4)).ShouldBe("invalid");
        _keys.Asked.ShouldBe([_keys.Current.Id, 0], "it is not too long");
    }

    private string Issue() => _tokens.Issue(_claim, _record).Token;

    private string Forge(byte[] body, string domain) =>
        Base64Url.EncodeToString([.. body, .. HMACSHA256.HashData(_keys.Current.Secret.AsSpan(), (byte[])[.. Encoding.UTF8.GetBytes(domain), .. body])]);

    private string? ReasonOf(string text)
    {
        (SessionToken? token, SessionTokenFault? fault) = Open(text);
        (token is null).ShouldBe(fault is not null);
        return fault?.Reason;
    }

    private (SessionToken? Token, SessionTokenFault? Fault) Open(StringValues text, Audience? audience = null)
    {
        Task<(SessionToken?, SessionTokenFault?)> opening = _tokens.OpenAsync(text, audience ?? Mail, default).AsTask();
        opening.IsCompletedSuccessfully.ShouldBeTrue("with known keys nothing is waited for");
        return opening.Result;
    }

    private sealed class SomeKeys : INonceKeys
    {
        private NonceKey? _previous;

        public List<byte> Asked { get; } = [];

        public NonceKey Current { get; set; } = New(7);

        public void Rotate() => (_previous, Current) = (Current, New((byte)(Current.Id + 1)));

        public ValueTask<NonceKey?> FindAsync(byte id, CancellationToken cancellationToken)
        {
            Asked.Add(id);
            return new(((NonceKey?[])[Current, _previous]).FirstOrDefault(key => key?.Id == id));
        }

        private static NonceKey New(byte id) => new(id, RandomNumberGenerator.GetBytes(NonceKey.Size).ToImmutableArray());
    }
}
