using System.Text;
using FsCheck;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.WebSockets;

namespace ProxyGateway.Tests.Handshakes;

public sealed class AnswerReaderTests
{
    private const string HelloOk = """{"type":"res","payload":{"id":"c","ok":false,"list":[{"ok":true}],"text":"\"ok\":false"},"id":"c","ok":true}""";

    [Theory]
    [InlineData(HelloOk, nameof(BackendAnswer.Accepted))]
    [InlineData("""{"type":"res","id":"c","ok":false,"payload":{"ok":true}}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"d","ok":true,"payload":{"id":"c"}}""", nameof(BackendAnswer.None))]
    [InlineData("""{"type":"res","id":"c","ok":true,"OK":false}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":true}x""", nameof(BackendAnswer.Broken))]
    public void An_answer_is_read_alike_wherever_its_bytes_are_cut(string json, string expected)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(json);
        byte[] stream =
        [
            .. SomeFrames.Encode(Opcode.Text, """{"type":"event"}"""u8),
            .. SomeFrames.Encode(Opcode.Text, utf8.AsSpan(0, 13), isFinal: false),
            .. SomeFrames.Encode(Opcode.Ping, "{\"ok\":true}"u8),
            .. SomeFrames.Encode(Opcode.Continuation, [], isFinal: false),
            .. SomeFrames.Encode(Opcode.Continuation, utf8.AsSpan(13)),
        ];
        for (int at = 0; at <= stream.Length; at++)
        {
            Read([stream.AsMemory(0, at), stream.AsMemory(at)]).ToString().ShouldBe(expected, $"cut at {at}");
        }

        Read(SomeFrames.Cut(stream, [PositiveInt.NewPositiveInt(1)])).ToString().ShouldBe(expected);
    }

    [Theory]
    [InlineData("""{"type":"res","id":"c","ok":false,"error":{}}""", true)]
    [InlineData("""{"error":{},"ok":false,"id":"c","type":"res"}""", true)]
    [InlineData("""{"type":"res","id":"c","error":{}}""", true)]
    [InlineData("""{"type":"res","id":"d","ok":false}""", false)]
    [InlineData("""{"type":"event","id":"c","ok":false}""", false)]
    [InlineData("""{"type":"res","id":"c","ok":true}""", false)]
    public void Of_a_refusal_not_a_byte_is_decided_before_its_end_wherever_it_is_cut(string json, bool isRefusal)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(json);
        byte[] before = [.. SomeFrames.Encode(Opcode.Text, """{"type":"event"}"""u8), .. SomeFrames.Encode(Opcode.Ping, "p"u8)];
        byte[] message =
        [
            .. SomeFrames.Encode(Opcode.Text, utf8.AsSpan(0, 3), isFinal: false),
            .. SomeFrames.Encode(Opcode.Ping, "p"u8),
            .. SomeFrames.Encode(Opcode.Continuation, utf8.AsSpan(3)),
        ];
        for (int at = 1; at <= message.Length; at++)
        {
            using var reader = new AnswerReader("c");
            reader.Read([.. before, .. message.AsSpan(0, at)]);
            if (isRefusal)
                reader.Undecided.ShouldBe(at, $"cut at {at}");
            else if (at == message.Length)
                reader.Undecided.ShouldBe(0);
        }
    }

    // The beginning of a message that is no refusal, whatever follows.
    [Theory]
    [InlineData("""{"type":"event",""")]
    [InlineData("""{"type":"event","type":"event",""")]
    [InlineData("""{"type":"event","type":"res",""")]
    [InlineData("""{"type":"event","id":"c",""")]
    [InlineData("""{"type":"event","ok":false,""")]
    [InlineData("""{"id":"d",""")]
    [InlineData("""{"id":"d","id":"d",""")]
    [InlineData("""{"id":"d","id":"c",""")]
    [InlineData("""{"id":"d","type":"res",""")]
    [InlineData("""{"ok":true,"ok":true,""")]
    [InlineData("""{"ok":true,"ok":false,""")]
    public void A_message_that_cannot_be_a_refusal_is_decided_at_once(string json)
    {
        using var reader = new AnswerReader("c");
        reader.Read(SomeFrames.Encode(Opcode.Text, Encoding.UTF8.GetBytes(json), isFinal: false)).ShouldBe(BackendAnswer.None);
        reader.Undecided.ShouldBe(0);

        using var binary = new AnswerReader("c");
        binary.Read(SomeFrames.Encode(Opcode.Binary, Encoding.UTF8.GetBytes(json), isFinal: false)).ShouldBe(BackendAnswer.None);
        binary.Undecided.ShouldBe(0, "nor is a binary message");
    }

    [Fact]
    public void A_long_hello_is_decided_with_its_first_members()
    {
        using var reader = new AnswerReader("c");
        byte[] hello = SomeFrames.Encode(Opcode.Text, Encoding.UTF8.GetBytes($$"""{"type":"res","id":"c","ok":true,"payload":"{{new string('x', 100_000)}}"}"""));

        reader.Read(hello.AsSpan(0, 60));

        reader.Undecided.ShouldBe(0);
    }

    [Property(MaxTest = 300)]
    public void A_stream_is_read_alike_however_its_bytes_are_cut(byte[] noise, PositiveInt[] chunks)
    {
        byte[] stream = [.. SomeFrames.Encode(Opcode.Text, "{}"u8), .. noise];

        // What is broken may be found before an answer is whole, never the other way round.
        Read(SomeFrames.Cut(stream, chunks)).ShouldBe(Read([stream]));
    }

    [Fact]
    public void An_answer_counts_only_once_its_message_is_whole()
    {
        byte[] stream = SomeFrames.Encode(Opcode.Text, Encoding.UTF8.GetBytes(HelloOk), isFinal: false);

        Read([stream]).ShouldBe(BackendAnswer.None);
        Read([stream, SomeFrames.Encode(Opcode.Continuation, [])]).ShouldBe(BackendAnswer.Accepted);
        Read([stream, SomeFrames.Encode(Opcode.Continuation, ","u8)]).ShouldBe(BackendAnswer.Broken);
    }

    [Fact]
    public void The_reader_holds_a_bounded_number_of_bytes()
    {
        using var reader = new AnswerReader("c");
        byte[] start = SomeFrames.Encode(Opcode.Text, "{\"text\":\""u8, isFinal: false);
        byte[] more = SomeFrames.Encode(Opcode.Continuation, Encoding.ASCII.GetBytes(new string('x', 512 * 1024)), isFinal: false);
        BackendAnswer answer = reader.Read(start);
        for (int i = 0; i < 16 && answer == BackendAnswer.None; i++)
        {
            answer = reader.Read(more);
        }

        answer.ShouldBe(BackendAnswer.Broken);
    }

    [Theory]
    [InlineData('"')]
    [InlineData('1')]
    [InlineData(' ')]
    public void Each_byte_is_read_a_few_times_even_if_bytes_arrive_singly(char kind)
    {
        const int Length = 64 * 1024;
        string text = kind == '"' ? "{\"text\":\"" : "{\"text\":";
        char filler = kind == '"' ? 'x' : kind;
        using var reader = new AnswerReader("c");
        reader.Read(SomeFrames.Encode(Opcode.Text, Encoding.ASCII.GetBytes(text), isFinal: false)).ShouldBe(BackendAnswer.None);
        byte[] one = SomeFrames.Encode(Opcode.Continuation, [(byte)filler], isFinal: false);
        byte[] none = SomeFrames.Encode(Opcode.Continuation, [], isFinal: false);
        for (int i = 0; i < Length; i++)
        {
            reader.Read(one).ShouldBe(BackendAnswer.None);
            reader.Read(none).ShouldBe(BackendAnswer.None);
        }

        string end = kind == '"' ? "\"" : "1";
        reader.Read(SomeFrames.Encode(Opcode.Continuation, Encoding.ASCII.GetBytes(end + ""","type":"res","id":"c","ok":true}"""))).ShouldBe(BackendAnswer.Accepted);
        reader.BytesTokenized.ShouldBeInRange(Length, 10 * Length);
    }

    // A backend that never ends a string must not fill the memory.
    [Theory]
    [InlineData(0, nameof(BackendAnswer.None))]
    [InlineData(1, nameof(BackendAnswer.Broken))]
    public void A_string_may_be_four_mebibytes_long(int more, string expected)
    {
        string text = "\"" + new string('x', (4 * 1024 * 1024) - 1 + more);

        Read([SomeFrames.Encode(Opcode.Text, Encoding.ASCII.GetBytes(text), isFinal: false)]).ToString().ShouldBe(expected);
    }

    private static BackendAnswer Read(IEnumerable<ReadOnlyMemory<byte>> chunks)
    {
        using var reader = new AnswerReader("c");
        foreach (ReadOnlyMemory<byte> chunk in chunks)
        {
            BackendAnswer answer = reader.Read(chunk.Span);
            if (answer != BackendAnswer.None)
                return answer;
        }

        return BackendAnswer.None;
    }

    // What makes two readers differ about an answer makes it no acceptance.
    [Theory]
    [InlineData("""{"type":"res","id":"c","ok":true}""", nameof(BackendAnswer.Accepted))]
    [InlineData("""{"ok":true,"id":"c","type":"res"}""", nameof(BackendAnswer.Accepted))]
    [InlineData("""{"type":"res","id":"c","ok":"true"}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":1}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":{"ok":true}}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c"}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":false,"ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","id":"d","ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"event","type":"res","id":"c","ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","Id":"d","ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","type":"res","id":"c","ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","id":"c","ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":true,"ok":true}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":true,"OK":false,"Ok":false}""", nameof(BackendAnswer.Refused))]
    [InlineData("""{"type":"res","id":"c","ok":true,"payload":{"OK":false,"type":"event"}}""", nameof(BackendAnswer.Accepted))]
    [InlineData("""{"type":"req","id":"c","ok":true}""", nameof(BackendAnswer.None))]
    [InlineData("""{"type":1,"id":"c","ok":true}""", nameof(BackendAnswer.None))]
    [InlineData("""{"type":"res","id":1,"ok":true}""", nameof(BackendAnswer.None))]
    [InlineData("""{"id":"c","ok":true}""", nameof(BackendAnswer.None))]
    [InlineData("""{"x":{"type":"res","id":"c","ok":true}}""", nameof(BackendAnswer.None))]
    [InlineData("""["type","res","id","c","ok",true]""", nameof(BackendAnswer.None))]
    [InlineData("", nameof(BackendAnswer.Broken))]
    [InlineData("{", nameof(BackendAnswer.Broken))]
    [InlineData("x", nameof(BackendAnswer.Broken))]
    public void Only_a_top_level_answer_to_this_very_request_accepts(string json, string expected) =>
        Read([SomeFrames.Encode(Opcode.Text, Encoding.UTF8.GetBytes(json))]).ToString().ShouldBe(expected);

    [Theory]
    [InlineData("masked")]
    [InlineData("continuation first")]
    [InlineData("text within a message")]
    [InlineData("reserved bit")]
    [InlineData("long ping")]
    public void A_stream_that_breaks_RFC_6455_is_no_answer(string how)
    {
        byte[] hello = Encoding.UTF8.GetBytes(HelloOk);

        Read(how switch
        {
            "masked" => [SomeFrames.Encode(Opcode.Text, hello, masked: true)],
            "continuation first" => [SomeFrames.Encode(Opcode.Continuation, hello)],
            "text within a message" => [SomeFrames.Encode(Opcode.Text, "{"u8, isFinal: false), SomeFrames.Encode(Opcode.Text, hello)],
            "reserved bit" => [new byte[] { 0xC1, 0x00 }],
            _ => [new byte[] { 0x89, 0x7E, 0x00, 0x7E }],
        }).ShouldBe(BackendAnswer.Broken);
    }

    [Fact]
    public void Binary_messages_and_control_frames_say_nothing()
    {
        byte[] hello = Encoding.UTF8.GetBytes(HelloOk);

        Read([SomeFrames.Encode(Opcode.Binary, hello)]).ShouldBe(BackendAnswer.None);
        Read([SomeFrames.Encode(Opcode.Binary, "x"u8, isFinal: false), SomeFrames.Encode(Opcode.Pong, "{"u8), SomeFrames.Encode(Opcode.Continuation, hello), SomeFrames.Encode(Opcode.Text, hello)])
            .ShouldBe(BackendAnswer.Accepted);
        Read([SomeFrames.Encode(Opcode.Text, """{"type":"res","id":"c"}"""u8, isFinal: false), SomeFrames.Encode(Opcode.Continuation, []), SomeFrames.Encode(Opcode.Text, hello)])
            .ShouldBe(BackendAnswer.Refused, "the first answer counts");
    }

    [Theory]
    [InlineData(126, nameof(BackendAnswer.Accepted))]
    [InlineData(128, nameof(BackendAnswer.Broken))]
    public void What_an_answer_holds_is_nested_so_deep_and_no_deeper(int depth, string expected)
    {
        string nested = new string('[', depth) + new string(']', depth);

        Read([SomeFrames.Encode(Opcode.Text, Encoding.UTF8.GetBytes($$"""{"payload":{{nested}},"type":"res","id":"c","ok":true}"""))]).ToString().ShouldBe(expected);
    }
}
