using FsCheck;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

public sealed class FrameTrackerTests
{
    [Property]
    public void The_tracker_finds_every_boundary_however_the_stream_is_cut(int[] lengths, PositiveInt[] chunks, bool masked)
    {
        (byte[] stream, HashSet<int> boundaries) = Frames(lengths, masked);
        var tracker = default(FrameTracker);
        int position = 0;
        foreach (ReadOnlyMemory<byte> chunk in SomeFrames.Cut(stream, chunks))
        {
            tracker.Advance(chunk.Span);
            position += chunk.Length;
            tracker.AtBoundary.ShouldBe(boundaries.Contains(position));
        }
    }

    [Property]
    public void The_tracker_stops_at_the_next_boundary(int[] lengths, bool masked, NonNegativeInt start)
    {
        (byte[] stream, HashSet<int> boundaries) = Frames([1, .. lengths], masked);
        int from = start.Get % stream.Length;
        var tracker = default(FrameTracker);
        tracker.Advance(stream.AsSpan(0, from));

        int taken = tracker.AdvanceToBoundary(stream.AsSpan(from));

        (from + taken).ShouldBe(boundaries.Where(b => b >= from).Min());
        tracker.AtBoundary.ShouldBeTrue();
        tracker.AdvanceToBoundary(stream.AsSpan(from + taken)).ShouldBe(0);
    }

    [Fact]
    public void Without_a_boundary_the_tracker_takes_all_bytes()
    {
        var tracker = default(FrameTracker);
        tracker.Advance([0x82, 0x7E]);

        tracker.AdvanceToBoundary([0x01, 0x00, 1, 2, 3]).ShouldBe(5);

        tracker.AtBoundary.ShouldBeFalse();
    }

    [Fact]
    public void A_close_frame_is_seen_from_its_first_byte()
    {
        var tracker = default(FrameTracker);
        tracker.Advance([0x82, 0x01, 0x88]); // a payload that only looks like it
        tracker.SawClose.ShouldBeFalse();

        tracker.Advance([0x88]);

        tracker.SawClose.ShouldBeTrue();
        tracker.AtBoundary.ShouldBeFalse();
    }

    [Theory]
    [InlineData("8800")]
    [InlineData("88008800")]
    [InlineData("88008100")]
    [InlineData("810088800000000081")]
    public void A_close_frame_that_has_passed_stays_seen(string hex)
    {
        byte[] stream = Convert.FromHexString(hex);
        foreach (int chunk in (int[])[1, 2, stream.Length])
        {
            var tracker = default(FrameTracker);
            foreach (byte[] bytes in stream.Chunk(chunk))
                tracker.Advance(bytes);

            tracker.SawClose.ShouldBeTrue($"chunks of {chunk}");
        }
    }

    [Theory]
    [InlineData("C100")] // a reserved bit
    [InlineData("8300")] // a reserved opcode
    [InlineData("897E0000")] // a control frame of more than 125 bytes
    [InlineData("817F8000000000000000")] // a length of 64 bits
    public void After_a_breach_of_the_protocol_there_is_no_boundary(string hex)
    {
        byte[] stream = Convert.FromHexString(hex);
        foreach (int cut in Enumerable.Range(0, stream.Length))
        {
            var tracker = default(FrameTracker);
            tracker.Advance(stream.AsSpan(0, cut));
            tracker.Advance(stream.AsSpan(cut));
            tracker.Advance(SomeFrames.Encode(Opcode.Text, "{}"u8));

            tracker.AtBoundary.ShouldBeFalse();
            tracker.AdvanceToBoundary([1, 2, 3]).ShouldBe(3);
        }
    }

    private static (byte[] Stream, HashSet<int> Boundaries) Frames(int[] lengths, bool masked)
    {
        var stream = new List<byte>();
        HashSet<int> boundaries = [0];
        foreach (int any in lengths)
        {
            int length = SomeFrames.Length(any);
            Opcode opcode = length <= 125 && any % 3 == 0 ? Opcode.Ping : Opcode.Binary;
            stream.AddRange(SomeFrames.Encode(opcode, new byte[length], masked, isFinal: opcode == Opcode.Ping || any % 2 == 0));
            boundaries.Add(stream.Count);
        }

        return ([.. stream], boundaries);
    }
}
