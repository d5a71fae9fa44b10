using System.Text;
using FsCheck;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

public sealed class MessageReaderTests
{
    private const int Limit = 64 * 1024;

    [Property]
    public void A_message_is_read_alike_however_its_bytes_are_cut(int[] fragments, PositiveInt[] chunks)
    {
        byte[] stream = [.. Message(fragments), .. "the rest"u8];

        List<string> whole = Read([stream]);
        List<string> cut = Read(SomeFrames.Cut(stream, chunks));

        cut.ShouldBe(whole);
    }

    [Property(MaxTest = 300)]
    public void Any_bytes_are_read_or_a_protocol_violation(byte[] noise, PositiveInt[] chunks)
    {
        List<string> events = Read(SomeFrames.Cut(noise, chunks));

        events.ShouldBe(Read([noise]));
    }

    [Fact]
    public void A_message_and_its_frames_are_kept_as_they_came()
    {
        byte[] first = SomeFrames.Encode(Opcode.Text, "gr"u8, masked: true, isFinal: false);
        byte[] ping = SomeFrames.Encode(Opcode.Ping, "p"u8, masked: true);
        byte[] second = SomeFrames.Encode(Opcode.Continuation, "üße"u8, masked: true);
        using var reader = new MessageReader(FrameSource.Client, Limit);
        reader.Receive([.. first, .. ping, .. second, 1, 2, 3]);

        reader.Next().ShouldBe(FrameEvent.Control);
        reader.ControlFrame.Opcode.ShouldBe(Opcode.Ping);
        reader.ControlFrame.Bytes.ToArray().ShouldBe(ping);
        reader.Next().ShouldBe(FrameEvent.Message);
        Encoding.UTF8.GetString(reader.Message.Span).ShouldBe("grüße");
        reader.MessageFrames.ToArray().ShouldBe([.. first, .. second]);
        reader.Rest.ToArray().ShouldBe([1, 2, 3]);
    }

    [Theory]
    [InlineData(FrameSource.Client, false)]
    [InlineData(FrameSource.Backend, true)]
    internal void Either_side_masks_as_it_must(FrameSource source, bool masked)
    {
        using var reader = new MessageReader(source, Limit);
        reader.Receive(SomeFrames.Encode(Opcode.Text, "{}"u8, masked));

        reader.Next().ShouldBe(FrameEvent.Violation);
        reader.Violation.ShouldBe(Closing.ProtocolError);
    }

    [Theory]
    [InlineData(Limit, FrameEvent.Message)]
    [InlineData(Limit + 1, FrameEvent.Violation)]
    internal void The_limit_is_exact(int length, FrameEvent expected)
    {
        using var reader = new MessageReader(FrameSource.Backend, Limit);
        reader.Receive(SomeFrames.Encode(Opcode.Text, new byte[length]));

        reader.Next().ShouldBe(expected);
    }

    [Fact]
    public void The_backends_held_control_frames_are_found_and_nothing_else()
    {
        byte[] ping = SomeFrames.Encode(Opcode.Ping, "p"u8);
        byte[] text = SomeFrames.Encode(Opcode.Text, "{}"u8);
        using var reader = new MessageReader(FrameSource.Backend, Limit);
        reader.Receive([.. ping, .. ping, .. text, .. ping]);

        reader.TryReadControlFrame().ShouldBeTrue();
        reader.TryReadControlFrame().ShouldBeTrue();
        reader.ControlFrame.Bytes.ToArray().ShouldBe(ping);
        reader.TryReadControlFrame().ShouldBeFalse();
        reader.Rest.ToArray().ShouldBe([.. text, .. ping]);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("89", true)] // a ping that has begun
    [InlineData("8902FF", true)]
    [InlineData("81", false)]
    [InlineData("8180", false)]
    [InlineData("898000000000", false)] // masked, as no backend's is
    [InlineData("C9", true)] // what is wrong with it shows with the next byte
    [InlineData("C900", false)]
    public void Only_the_beginning_of_a_control_frame_is_waited_for(string hex, bool expects)
    {
        using var reader = new MessageReader(FrameSource.Backend, Limit);
        reader.Receive(SomeFrames.Encode(Opcode.Pong, "p"u8));
        reader.Receive(Convert.FromHexString(hex));

        reader.TryReadControlFrame().ShouldBeTrue();
        reader.ExpectsControlFrame.ShouldBe(expects);
        reader.TryReadControlFrame().ShouldBeFalse();
        reader.ExpectsControlFrame.ShouldBe(expects);
        reader.Rest.ToArray().ShouldBe(Convert.FromHexString(hex));
    }

    private static byte[] Message(int[] fragments)
    {
        var stream = new List<byte>();
        for (int i = 0; i < fragments.Length; i++)
        {
            if (fragments[i] % 3 == 0)
                stream.AddRange(SomeFrames.Encode(Opcode.Ping, [(byte)i], masked: true));
            byte[] payload = Encoding.UTF8.GetBytes(new string('x', SomeFrames.Length(fragments[i]) / 4));
            stream.AddRange(SomeFrames.Encode(i == 0 ? Opcode.Text : Opcode.Continuation, payload, masked: true, isFinal: i == fragments.Length - 1));
        }

        return [.. stream];
    }

    /// <summary>The events up to the message or the violation.</summary>
    private static List<string> Read(IEnumerable<ReadOnlyMemory<byte>> chunks)
    {
        using var reader = new MessageReader(FrameSource.Client, Limit);
        var events = new List<string>();
        foreach (ReadOnlyMemory<byte> chunk in chunks)
        {
            chunk.CopyTo(reader.Reserve(chunk.Length));
            reader.Received(chunk.Length);
            FrameEvent next;
            while ((next = reader.Next()) != FrameEvent.NeedsMore)
            {
                events.Add(next switch
                {
                    FrameEvent.Control => Convert.ToHexString(reader.ControlFrame.Bytes.Span),
                    FrameEvent.Message => $"{Convert.ToHexString(reader.Message.Span)} {Convert.ToHexString(reader.MessageFrames.Span)}",
                    _ => reader.Violation!.ToString(),
                });
                if (next != FrameEvent.Control)
                    return events;
            }
        }

        return events;
    }
}
