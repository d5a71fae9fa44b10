using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

namespace ProxyGateway.Tests.Handshakes;

public sealed class ConnectMemberTests
{
    private const string Problem = "invalid handshake: a member is spelled unlike the protocol's";

    private static readonly string[] Places = ["", "params", "params.client", "params.auth", "params.device"];

    /// <summary>Characters beside ASCII that some reader takes for a letter of ASCII, or for several.</summary>
    private static readonly (char Character, string Letters)[] Foreign =
    [
        ('\u017F', "s"), ('\u212A', "k"), ('\u0131', "i"), ('\u0130', "i"),
        ('\u00DF', "ss"), ('\u1E9E', "ss"), ('\uFB00', "ff"), ('\uFB01', "fi"), ('\uFB02', "fl"), ('\uFB03', "ffi"), ('\uFB04', "ffl"), ('\uFB05', "st"), ('\uFB06', "st"),
    ];

    public static TheoryData<string> Names => [.. ConnectMember.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_member_that_a_reader_could_take_for_one_that_the_gate_reads_is_refused(string name)
    {
        foreach (string spelling in Spellings(name))
        {
            foreach (string place in Places)
                Refusal(place, spelling).ShouldBe(Problem, $"{spelling} in {place}");
        }

        IEnumerable<string> Spellings(string name)
        {
            yield return name.ToUpperInvariant();
            yield return char.ToUpperInvariant(name[0]) + name[1..];
            yield return name[..^1] + char.ToUpperInvariant(name[^1]);
            yield return name + "_";
            yield return name[..1] + "-" + name[1..];
            yield return name + "\0x";
            foreach ((char character, string letters) in Foreign)
            {
                if (name.ToLowerInvariant().IndexOf(letters, StringComparison.Ordinal) is >= 0 and var at)
                    yield return name[..at] + character + name[(at + letters.Length)..];
            }
        }
    }

    [Fact]
    public void Every_character_that_NET_folds_to_an_ASCII_letter_is_known()
    {
        for (char c = '\u0080'; c < char.MaxValue; c++)
        {
            if (char.IsAscii(char.ToLowerInvariant(c)) || char.IsAscii(char.ToUpperInvariant(c)))
                Foreign.ShouldContain(f => f.Character == c, $"U+{(int)c:X4}");
        }
    }

    [Theory]
    [InlineData("params", "rôle")]
    [InlineData("params", "roles")]
    [InlineData("params", "x")]
    [InlineData("params", "")]
    [InlineData("params", "\U0001D42B\U0001D428\U0001D425\U0001D41E")] // of letters in bold
    [InlineData("params", "the-longest-name-of-all-that-is-none-of-those-which-the-gate-reads")]
    [InlineData("params.client", "version")]
    [InlineData("params.caps", "Type")] // what the gate does not look into
    public void Any_other_member_is_accepted(string place, string name) => Refusal(place, name).ShouldBeNull();

    [Theory]
    [InlineData(""" "\u0052ole":"node" """, Problem)]
    [InlineData(""" "SCO\u0050ES":[] """, Problem)]
    [InlineData(""" "\u017fcopes":[] """, Problem)]
    [InlineData(""" "r\u006fle":"operator" """, null)] // the same name, in other letters
    [InlineData(""" "\n\"role":1 """, null)]
    public void A_member_with_escapes_is_compared_unescaped(string member, string? problem) =>
        Refusal(Encoding.UTF8.GetBytes(Frame("params", other: null).ToJsonString().Replace("\"caps\"", member + ",\"caps\"", StringComparison.Ordinal))).ShouldBe(problem);

    private static string? Refusal(string place, string name) => Refusal(JsonSerializer.SerializeToUtf8Bytes(Frame(place, name)));

    private static string? Refusal(byte[] message) =>
        ConnectRequestReader.TryRead(message, out _, out Refusal refusal) ? null : refusal.Closing.Reason;

    private static JsonObject Frame(string place, string? other)
    {
        var frame = JsonNode.Parse(
            """
            {"type":"req","id":"1","method":"connect","params":{"client":{"id":"cli","platform":"linux","mode":"cli"},"scopes":["operator.read"],
            "caps":{},"auth":{"token":"secret"},"device":{"id":"00","publicKey":"AAAA","signature":"AAAA","signedAt":1,"nonce":"n"}}}
            """)!.AsObject();
        JsonObject target = frame;
        foreach (string step in place.Split('.', StringSplitOptions.RemoveEmptyEntries))
            target = target[step]!.AsObject();
        if (other is not null)
            target[other] = "x";
        return frame;
    }
}
