using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>
/// Frames that two parsers might read differently, signed as they should be: without the gate's strictness each of these would be let in.
/// </summary>
public sealed class StrictJsonTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    // Names are only names; some of these texts cannot be.
    private static readonly Dictionary<string, Func<string, string>> NotStrict = new()
    {
        ["duplicate at the top"] = f => Add(f, "\"method\":\"connect\""),
        ["duplicate spelled with an escape"] = f => Add(f, "\"m\\u0065thod\":\"connect\""),
        ["duplicate spelled with another escape"] = f => f.Replace("\"role\":", "\"\\u0072ole\":\"node\",\"role\":", StringComparison.Ordinal),
        ["duplicate scopes"] = f => f.Replace("\"scopes\":", "\"scopes\":[\"operator.admin\"],\"scopes\":", StringComparison.Ordinal),
        ["duplicate in device"] = f => f.Replace("\"device\":{", "\"device\":{\"nonce\":\"x\",", StringComparison.Ordinal),
        ["duplicate in a member that the gate does not use"] = f => f.Replace("\"caps\":[]", "\"caps\":[{\"a\":{\"b\":1,\"b\":2}}]", StringComparison.Ordinal),
        ["duplicate of an unknown member"] = f => Add(f, "\"x\":1,\"x\":1"),
        ["duplicate with an escaped solidus"] = f => Add(f, "\"a/b\":1,\"a\\/b\":1"),
        ["duplicate with an escaped surrogate pair"] = f => Add(f, "\"😀\":1,\"\\ud83d\\ude00\":1"),
        ["the prototype of JavaScript's objects"] = f => f.Replace("\"caps\":[]", "\"__proto__\":{\"role\":\"node\"},\"caps\":[]", StringComparison.Ordinal),
        ["that prototype, deep down"] = f => f.Replace("\"caps\":[]", "\"caps\":[{\"a\":{\"\\u005f_proto__\":1}}]", StringComparison.Ordinal),
        ["seventeen levels"] = f => f.Replace("\"caps\":[]", "\"caps\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]", StringComparison.Ordinal),
        ["two documents"] = f => f + "{}",
        ["trailing text"] = f => f + "x",
        ["trailing NUL"] = f => f + "\0",
        ["leading BOM"] = f => "\uFEFF" + f,
        ["trailing BOM"] = f => f + "\uFEFF",
        ["line comment"] = f => f + "// comment",
        ["block comment"] = f => f.Replace("\"caps\":[]", "\"caps\":/* comment */[]", StringComparison.Ordinal),
        ["trailing comma in the object"] = f => f[..^1] + ",}",
        ["trailing comma in an array"] = f => f.Replace("\"caps\":[]", "\"caps\":[1,]", StringComparison.Ordinal),
        ["single quotes"] = f => f.Replace('"', '\''),
        ["unquoted name"] = f => Add(f, "x:1"),
        ["NaN"] = f => Add(f, "\"x\":NaN"),
        ["leading zero"] = f => Add(f, "\"x\":01"),
        ["raw control character in a text"] = f => Add(f, "\"x\":\"\u0001\""),
        ["raw line break in a text"] = f => Add(f, "\"x\":\"\n\""),
        ["bad escape"] = f => Add(f, "\"x\":\"\\x41\""),
        ["half an escape"] = f => Add(f, "\"x\":\"\\u00\""),
        ["lone high surrogate in a value"] = f => Add(f, "\"x\":\"\\ud800\""),
        ["lone low surrogate in a value"] = f => Add(f, "\"x\":\"\\udc00\""),
        ["lone high surrogate in a name"] = f => Add(f, "\"\\ud800\":1"),
        ["lone low surrogate in a name"] = f => Add(f, "\"\\uDFFF\":1"),
        ["two lone names that a replacement would make one"] = f => Add(f, "\"\\ud800\":1,\"\\ud801\":1"),
        ["surrogates the wrong way round"] = f => Add(f, "\"x\":\"\\ude00\\ud83d\""),
        ["high surrogate, then a character"] = f => Add(f, "\"x\":\"\\ud83dx\""),
        ["high surrogate, then an escaped character"] = f => Add(f, "\"x\":\"\\ud83d\\n\""),
        ["high surrogate, then another, then a low one"] = f => Add(f, "\"x\":\"\\ud83d\\ud83d\\ude00\""),
        ["halves in two texts"] = f => Add(f, "\"x\":[\"\\ud83d\",\"\\ude00\"]"),
        ["lone surrogate in a scope"] = f => f.Replace("operator.read", "operator.\\ud800", StringComparison.Ordinal),
        ["lone surrogate in the id"] = f => f.Replace("connect-1", "connect-\\udfff", StringComparison.Ordinal),
        ["too deep"] = f => Add(f, $"\"x\":{new string('[', 40)}{new string(']', 40)}"),
        ["very deep"] = f => Add(f, $"\"x\":{new string('[', 7_000)}{new string(']', 7_000)}"),
        ["cut off"] = f => f[..^1],
        ["nothing"] = _ => "",
        ["blanks"] = _ => "  \r\n",
        ["no JSON"] = _ => "connect",
    };

    private static readonly Dictionary<string, string> NotRequests = new()
    {
        ["array"] = "[]",
        ["text"] = "\"connect\"",
        ["null"] = "null",
        ["number"] = "1",
        ["empty object"] = "{}",
        ["response"] = """{"type":"res","id":"x","ok":true}""",
        ["event"] = """{"type":"event","event":"connect"}""",
        ["type in another case"] = """{"type":"REQ","id":"x","method":"connect"}""",
        ["type null"] = """{"type":null,"id":"x","method":"connect"}""",
        ["no id"] = """{"type":"req","method":"connect"}""",
        ["empty id"] = """{"type":"req","id":"","method":"connect"}""",
        ["id null"] = """{"type":"req","id":null,"method":"connect"}""",
        ["id a number"] = """{"type":"req","id":1,"method":"connect"}""",
        ["id too long"] = $$"""{"type":"req","id":"{{new string('x', 10_000)}}","method":"connect"}""",
    };

    private static readonly Dictionary<string, Func<string, byte[]>> NotUtf8 = new()
    {
        ["a byte that never occurs"] = f => Spoil(f, [0xFF]),
        ["overlong solidus"] = f => Spoil(f, [0xC0, 0xAF]),
        ["overlong quotation mark"] = f => Spoil(f, [0xE0, 0x80, 0xA2]),
        ["surrogate"] = f => Spoil(f, [0xED, 0xA0, 0x80]),
        ["beyond Unicode"] = f => Spoil(f, [0xF4, 0x90, 0x80, 0x80]),
        ["cut off in the middle of a character"] = f => [.. Encoding.UTF8.GetBytes(f), 0xC3],
    };

    public static TheoryData<string> Ambiguous => [.. NotStrict.Keys];

    public static TheoryData<string> Unanswered => [.. NotRequests.Keys];

    public static TheoryData<string> Garbled => [.. NotUtf8.Keys];

    [Theory]
    [MemberData(nameof(Ambiguous))]
    public async Task What_is_not_strictly_JSON_is_refused_without_an_answer(string what)
    {
        var device = new TestDevice();
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendTextAsync(NotStrict[what](new Ask().SignedBy(device)));

        (await encounter.ShouldBeClosedAsync(1008, "invalid handshake: not strict JSON")).ShouldBeNull();
        (await shared.Gateway.FindAsync(device)).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Unanswered))]
    public async Task What_is_not_a_request_gets_no_answer(string what)
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendTextAsync(NotRequests[what]);

        (await encounter.ShouldBeClosedAsync(1008, "invalid handshake: not a request frame")).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Garbled))]
    public async Task What_is_not_UTF8_is_refused(string what)
    {
        var device = new TestDevice();
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendAsync(Opcode.Text, NotUtf8[what](new Ask().SignedBy(device)));

        (await encounter.ShouldBeClosedAsync(1007, "invalid UTF-8")).ShouldBeNull();
        (await shared.Gateway.FindAsync(device)).ShouldBeNull();
    }

    [Fact]
    public async Task What_JSON_allows_is_allowed_and_reaches_the_backend_as_it_was()
    {
        string frame = new Ask
        {
            Tamper = f => f["extra"] = new JsonObject { ["😀"] = "\\ud800 is no escape", ["1"] = 1e300, ["2"] = -0.5 },
        }.SignedBy(new TestDevice());
        frame = " \t\r\n" + frame.Replace(":", " : ", StringComparison.Ordinal).Replace("connect-1", "\\u0063onnect-1\\ud83d\\ude00", StringComparison.Ordinal)
            .Replace("\"method\" : \"connect\"", "\"m\\u0065thod\" : \"\\u0063onnect\"", StringComparison.Ordinal) + "\n";
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendTextAsync(frame);

        await encounter.ShouldBeAdmittedAsync("connect-1😀");
        (await encounter.Backend.ReceivedFramesAsync())[0].Text.ShouldBe(frame);
    }

    private static string Add(string frame, string member) => $"{frame[..^1]},{member}}}";

    private static byte[] Spoil(string frame, byte[] bytes)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(Add(frame, "\"x\":\"?\""));
        return [.. utf8[..^3], .. bytes, .. utf8[^2..]];
    }
}
