using System.Text;
using System.Text.Json;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Handshakes;

namespace ProxyGateway.Tests.Handshakes;

public sealed class StrictJsonTests
{
    private static readonly string[] Pieces = ["\\ud83d", "\\uDE00", "\\u0041", "\\\\", "\\n", "\\\"", "u", "d83d", "x", "😀", "\",\"", "\\udbff", "\\udc00"];

    [Property(MaxTest = 2000)]
    public void Half_a_character_is_found_wherever_it_is(byte[] choices)
    {
        string json = $"[\"{string.Concat(choices.Select(c => Pieces[c % Pieces.Length]))}\"]";

        using JsonDocument? document = StrictJson.Parse(Encoding.UTF8.GetBytes(json));

        (document is not null).ShouldBe(IsWhole(json), json);
    }

    [Theory]
    [InlineData("""{"a":1,"a":2}""")]
    [InlineData("""{"a":1,"\u0061":2}""")]
    [InlineData("""{"x":{"y":[{"a":1,"\u0061":2}]}}""")]
    [InlineData("""{"😀":1,"\ud83d\ude00":2}""")]
    [InlineData("""{"":1,"":2}""")]
    [InlineData("{}{}")]
    [InlineData("\uFEFF{}")]
    [InlineData("{}//")]
    [InlineData("[1,]")]
    [InlineData("")]
    [InlineData("""{"__proto__":{"role":"node"}}""")]
    [InlineData("""{"__proto__":null}""")]
    [InlineData("""{"x":[{"y":{"__proto__":1}}]}""")]
    [InlineData("""{"\u005f_proto__":1}""")]
    [InlineData("""{"x":{"constructor":{"prototype":{"role":"node"}}}}""")]
    [InlineData("""{"constructor" : {}}""")]
    [InlineData("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]")]
    public void Text_that_two_parsers_could_read_differently_is_refused(string json) => StrictJson.Parse(Encoding.UTF8.GetBytes(json)).ShouldBeNull();

    [Theory]
    [InlineData("""{"a":1,"A":2,"a ":3,"\\u0061":4}""")]
    [InlineData("""[{"a":1},{"a":1}]""")]
    [InlineData(" \t\r\n{} \t\r\n")]
    [InlineData("""["__proto__",{"x":"__proto__","proto":1,"__proto":2,"constructor":"a"}]""")]
    [InlineData("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]")]
    public void Text_that_every_parser_reads_alike_is_accepted(string json) => StrictJson.Parse(Encoding.UTF8.GetBytes(json)).ShouldNotBeNull().Dispose();

    /// <summary>What the framework says of the same text: it trips over such halves when the text is read.</summary>
    private static bool IsWhole(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        try
        {
            foreach (JsonElement text in document.RootElement.EnumerateArray())
            {
                _ = text.GetString();
            }

            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
