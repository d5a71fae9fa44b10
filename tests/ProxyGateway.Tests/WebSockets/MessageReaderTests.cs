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
    [InlineData("8102FF", false)]
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

    [Fact]
    public void A_control_frame_that_is_whole_needs_no_more_bytes()
    {
        using var reader = new MessageReader(FrameSource.Backend, Limit);
        reader.Receive([0x89, 0x00]);

        reader.ExpectsControlFrame.ShouldBeFalse();
    }

    [Theory]
    [InlineData("C3BC", nameof(FrameEvent.Message))]
    [InlineData("C328", nameof(FrameEvent.Violation))]
    [InlineData("C3", nameof(FrameEvent.Violation))]
    [InlineData("EDA080", nameof(FrameEvent.Violation))] // half a surrogate pair
    public void A_text_message_is_UTF_8(string hex, string expected)
    {
        using var reader = new MessageReader(FrameSource.Backend, Limit);
        reader.Receive(SomeFrames.Encode(Opcode.Text, Convert.FromHexString(hex)));

        reader.Next().ToString().ShouldBe(expected);
        reader.Violation.ShouldBe(expected == nameof(FrameEvent.Message) ? null : Closing.InvalidUtf8);
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

    // Fragments of no bytes never end a message, and each costs a header.
    [Theory]
    [InlineData(108, nameof(FrameEvent.NeedsMore))]
    [InlineData(109, nameof(FrameEvent.Violation))]
    public void Empty_fragments_have_a_bound(int frames, string expected)
    {
        using var reader = new MessageReader(FrameSource.Backend, 100); // twice as many bytes and one header: 214
        for (int i = 0; i < frames; i++)
            reader.Receive(SomeFrames.Encode(i == 0 ? Opcode.Text : Opcode.Continuation, [], isFinal: false));

        reader.Next().ToString().ShouldBe(expected);
        reader.Violation.ShouldBe(expected == nameof(FrameEvent.Violation) ? Closing.TooLarge : null);
    }

    [Theory]
    [InlineData(60, 40, nameof(FrameEvent.Message))]
    [InlineData(60, 41, nameof(FrameEvent.Violation))]
    [InlineData(100, 0, nameof(FrameEvent.Message))]
    public void The_limit_counts_all_fragments(int first, int second, string expected)
    {
        using var reader = new MessageReader(FrameSource.Backend, 100);
        reader.Receive(SomeFrames.Encode(Opcode.Text, new byte[first], isFinal: false));
        reader.Receive(SomeFrames.Encode(Opcode.Continuation, new byte[second]));

        reader.Next().ToString().ShouldBe(expected);
    }

    [Fact]
    public void A_message_that_is_too_long_is_refused_by_its_header()
    {
        using var reader = new MessageReader(FrameSource.Backend, 100);
        reader.Receive(SomeFrames.Encode(Opcode.Text, new byte[101]).AsSpan(0, 2));

        reader.Next().ShouldBe(FrameEvent.Violation);
    }

    [Theory]
    [InlineData("client", 64, false)]
    [InlineData("client", 65, true)]
    [InlineData("backend", 1000, false)]
    public void A_client_sends_64_control_frames_at_most(string source, int count, bool isViolation)
    {
        bool isClient = source == "client";
        using var reader = new MessageReader(isClient ? FrameSource.Client : FrameSource.Backend, 100);
        for (int i = 0; i < count; i++)
            reader.Receive(SomeFrames.Encode(Opcode.Ping, [], masked: isClient));

        Enumerable.Range(0, count).Select(_ => reader.Next()).Count(e => e == FrameEvent.Control).ShouldBe(Math.Min(count, isClient ? 64 : count));
        reader.Violation?.Reason.ShouldBe("invalid handshake: too many control frames");
        (reader.Violation is not null).ShouldBe(isViolation);
    }

    [Theory]
    [InlineData(Opcode.Continuation, Opcode.Continuation, "protocol error")]
    [InlineData(Opcode.Text, Opcode.Text, "protocol error")]
    [InlineData(Opcode.Text, Opcode.Binary, "protocol error")]
    [InlineData(Opcode.Binary, Opcode.Continuation, "invalid handshake: binary message")]
    internal void Frames_stand_where_they_may(Opcode first, Opcode second, string violation)
    {
        using var reader = new MessageReader(FrameSource.Backend, 100);
        reader.Receive(SomeFrames.Encode(first, "a"u8, isFinal: false));
        reader.Receive(SomeFrames.Encode(second, "b"u8));

        reader.Next().ShouldBe(FrameEvent.Violation);
        reader.Violation!.Reason.ShouldBe(violation);
    }

    [Theory]
    [InlineData("client", "8980A55A00FF", true)]
    [InlineData("client", "8900", false)]
    [InlineData("client", "8980A55A00", false)]
    [InlineData("backend", "8900", true)]
    [InlineData("backend", "8901", false)]
    [InlineData("backend", "8980A55A00FF", false)]
    [InlineData("backend", "8100", false)]
    [InlineData("backend", "C900", false)]
    public void A_held_control_frame_is_masked_as_its_source_must(string source, string hex, bool isRead)
    {
        using var reader = new MessageReader(source == "client" ? FrameSource.Client : FrameSource.Backend, 100);
        reader.Receive(Convert.FromHexString(hex));

        reader.TryReadControlFrame().ShouldBe(isRead);
        if (isRead)
            (reader.ControlFrame.Opcode, Convert.ToHexString(reader.ControlFrame.Bytes.Span)).ShouldBe((Opcode.Ping, hex));
    }

    [Fact]
    public void Given_back_it_holds_nothing()
    {
        var reader = new MessageReader(FrameSource.Backend, 100);
        reader.Receive([.. SomeFrames.Encode(Opcode.Text, "{}"u8), .. SomeFrames.Encode(Opcode.Ping, []), 1, 2]);
        reader.Next().ShouldBe(FrameEvent.Message);
        reader.TryReadControlFrame().ShouldBeTrue();

        reader.Dispose();

        (reader.Message.Length, reader.MessageFrames.Length, reader.Rest.Length, reader.ControlFrame.Bytes.Length).ShouldBe((0, 0, 0, 0));
        reader.ExpectsControlFrame.ShouldBeTrue();
    }
}
