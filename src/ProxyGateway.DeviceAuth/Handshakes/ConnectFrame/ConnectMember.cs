using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The name of a member that the gate reads. The reader finds members by these alone, so each name that is added here is also defended: a
/// backend whose JSON reader ignores case would read <c>SCOPES</c> as <c>scopes</c>, while the gate would have decided by the other one.
/// </summary>
internal sealed class ConnectMember
{
    private static readonly Dictionary<string, ConnectMember> ByFoldedName = new(StringComparer.Ordinal);
    private static readonly Dictionary<string, ConnectMember>.AlternateLookup<ReadOnlySpan<char>> Known =
        ByFoldedName.GetAlternateLookup<ReadOnlySpan<char>>();

    private static int _longest;

    public static readonly ConnectMember Type = new("type");
    public static readonly ConnectMember Id = new("id");
    public static readonly ConnectMember Ok = new("ok");
    public static readonly ConnectMember Method = new("method");
    public static readonly ConnectMember Params = new("params");
    public static readonly ConnectMember MinProtocol = new("minProtocol");
    public static readonly ConnectMember MaxProtocol = new("maxProtocol");
    public static readonly ConnectMember Role = new("role");
    public static readonly ConnectMember Scopes = new("scopes");
    public static readonly ConnectMember Client = new("client");
    public static readonly ConnectMember Mode = new("mode");
    public static readonly ConnectMember Platform = new("platform");
    public static readonly ConnectMember DeviceFamily = new("deviceFamily");
    public static readonly ConnectMember DisplayName = new("displayName");
    public static readonly ConnectMember Auth = new("auth");
    public static readonly ConnectMember Token = new("token");
    public static readonly ConnectMember DeviceToken = new("deviceToken");
    public static readonly ConnectMember BootstrapToken = new("bootstrapToken");
    public static readonly ConnectMember TrustedBrokerProfileId = new("trustedBrokerProfileId");
    public static readonly ConnectMember Device = new("device");
    public static readonly ConnectMember PublicKey = new("publicKey");
    public static readonly ConnectMember Signature = new("signature");
    public static readonly ConnectMember SignedAt = new("signedAt");
    public static readonly ConnectMember Nonce = new("nonce");

    private readonly byte[] _utf8;

    private ConnectMember(string name)
    {
        _utf8 = Encoding.ASCII.GetBytes(name); // throws for any other: a known name is ASCII, as Fold requires
        _longest = Math.Max(_longest, name.Length);
        Span<char> folded = stackalloc char[name.Length];
        ByFoldedName.Add(new string(folded[..Fold(_utf8, folded)]), this);
    }

    /// <summary>Every name that the gate reads.</summary>
    public static IEnumerable<string> Names => ByFoldedName.Values.Select(m => m.ToString());

    /// <summary>The name as it is spelled.</summary>
    public ReadOnlySpan<byte> Utf8 => _utf8;

    /// <summary>
    /// Whether a reader could take a member of the object for one that the gate reads, though it is not spelled exactly so.
    /// </summary>
    public static bool HasLookAlike(JsonElement element)
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (LookedUp(JsonMarshal.GetRawUtf8PropertyName(property)) is { } known && !property.NameEquals(known.Utf8))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Whether a reader could take the name at the current position for one that the gate reads, though it is not spelled exactly so.
    /// </summary>
    public static bool IsLookAlike(ref readonly Utf8JsonReader reader) =>
        LookedUp(reader.ValueSpan) is { } known && !reader.ValueTextEquals(known.Utf8);

    /// <inheritdoc/>
    public override string ToString() => Encoding.ASCII.GetString(_utf8);

    private static ConnectMember? LookedUp(ReadOnlySpan<byte> json)
    {
        Span<char> folded = stackalloc char[_longest];
        int length = Fold(json, folded);
        return length >= 0 && Known.TryGetValue(folded[..length], out ConnectMember? member) ? member : null;
    }

    /// <summary>
    /// A name without differences of case, <c>-</c> and <c>_</c> (Go's second <c>encoding/json</c> ignores those too). Negative if the gate
    /// reads no such name, since it is too long or has a letter that does not fold into ASCII.
    /// </summary>
    /// <param name="json">The name in the JSON, with its escapes; valid UTF-8.</param>
    /// <param name="folded">The destination.</param>
    private static int Fold(ReadOnlySpan<byte> json, Span<char> folded)
    {
        int length = 0;
        while (!json.IsEmpty)
        {
            int c = ReadCharacter(ref json);
            if (c == 0)
                break; // a reader in C may end the name here
            if (c is '-' or '_')
                continue;
            ReadOnlySpan<char> letters = FoldsInto(c);
            if (letters.IsEmpty)
            {
                if (!char.IsAscii((char)c) || length == folded.Length)
                    return -1;
                folded[length++] = char.ToLowerInvariant((char)c);
                continue;
            }

            if (!letters.TryCopyTo(folded[length..]))
                return -1;
            length += letters.Length;
        }

        return length;
    }

    private static int ReadCharacter(ref ReadOnlySpan<byte> json)
    {
        if (json[0] != (byte)'\\')
        {
            _ = Rune.DecodeFromUtf8(json, out Rune rune, out int consumed);
            json = json[consumed..];
            return rune.IsBmp ? rune.Value : char.MaxValue;
        }

        if (json[1] != (byte)'u' || !Utf8Parser.TryParse(json.Slice(2, 4), out ushort unit, out _, 'x'))
        {
            json = json[2..];
            return char.MaxValue; // no other escape spells a letter
        }

        json = json[6..];
        return unit;
    }

    /// <summary>
    /// The ASCII letters that a non-ASCII character becomes by Unicode's rules for folding, or for upper and lower case; or none.
    /// </summary>
    private static ReadOnlySpan<char> FoldsInto(int c) => c switch
    {
        0x17F => "s", // long s
        0x212A => "k", // Kelvin
        0x130 or 0x131 => "i", // with a dot above, and without one: for readers that compare character by character
        0xDF or 0x1E9E => "ss",
        0xFB00 => "ff",
        0xFB01 => "fi",
        0xFB02 => "fl",
        0xFB03 => "ffi",
        0xFB04 => "ffl",
        0xFB05 or 0xFB06 => "st",
        _ => [],
    };
}
