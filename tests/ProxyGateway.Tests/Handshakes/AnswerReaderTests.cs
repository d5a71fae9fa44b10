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
        reader.BytesTokenized.ShouldBeLessThan(10 * Length);
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
}
