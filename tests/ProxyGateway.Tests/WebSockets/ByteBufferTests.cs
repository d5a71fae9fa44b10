using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

/// <summary>The memory of a handshake, the masking of its frames, and the streams that the proxy gets.</summary>
public sealed class ByteBufferTests
{
    [Fact]
    public void Bytes_come_out_in_the_order_in_which_they_went_in()
    {
        using var buffer = new ByteBuffer();
        var expected = new List<byte>();
        for (int i = 0; i < 300; i++)
        {
            byte[] more = [.. Enumerable.Range(0, i % 23).Select(b => (byte)(b + i))];
            buffer.Append(more).ToArray().ShouldBe(more);
            expected.AddRange(more);
            int consumed = Math.Min(i % 7, expected.Count);
            buffer.Consume(consumed);
            expected.RemoveRange(0, consumed);
            buffer.Length.ShouldBe(expected.Count);
        }

        buffer.Span.ToArray().ShouldBe([.. expected]);
        buffer.Memory.ToArray().ShouldBe([.. expected]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1024)]
    [InlineData(5000)]
    public void There_is_room_for_what_was_asked_for_and_what_is_there_is_kept(int count)
    {
        using var buffer = new ByteBuffer();
        for (int i = 0; i < 5; i++)
        {
            buffer.Append([(byte)i]);
            buffer.Reserve(count).Length.ShouldBeGreaterThanOrEqualTo(count);
        }

        buffer.Span.ToArray().ShouldBe([0, 1, 2, 3, 4]);
    }

    [Fact]
    public void Cleared_or_given_back_it_is_empty_and_of_use_again()
    {
        var buffer = new ByteBuffer();
        buffer.Append([1, 2, 3]);
        buffer.Clear();
        buffer.Length.ShouldBe(0);
        buffer.Append([4]);
        buffer.Span.ToArray().ShouldBe([4]);

        buffer.Dispose();
        buffer.Dispose();
        buffer.Length.ShouldBe(0);
        buffer.Append([5]);
        buffer.Span.ToArray().ShouldBe([5]);
        buffer.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Memory_that_is_given_back_holds_no_tokens(bool grows)
    {
        using var buffer = new ByteBuffer();
        buffer.Append([.. Enumerable.Repeat((byte)'t', 300_000)]);
        ReadOnlyMemory<byte> memory = buffer.Memory;

        if (grows)
            buffer.Reserve(1_000_000);
        else
            buffer.Dispose();

        memory.Span.IndexOfAnyExcept((byte)0).ShouldBe(-1);
    }

    // RFC 6455 §5.7: a masked "Hello".
    [Theory]
    [InlineData("48656C6C6F", 0x3D21FA37u, "7F9F4D5158")]
    [InlineData("", 0x3D21FA37u, "")]
    [InlineData("00000000000000000000", 0x04030201u, "01020304010203040102")]
    public void A_mask_is_applied_byte_by_byte_and_once_more_takes_it_off(string plain, uint mask, string masked)
    {
        byte[] payload = Convert.FromHexString(plain);

        Masking.Apply(payload, mask);
        Convert.ToHexString(payload).ShouldBe(masked);
        Masking.Apply(payload, mask);
        Convert.ToHexString(payload).ShouldBe(plain);
    }

    [Fact]
    public async Task A_stream_that_has_ended_ends_whatever_the_token_says()
    {
        using var stream = new EndedStream();
        var canceled = new CancellationToken(canceled: true);

        (await stream.ReadAsync(new byte[8], canceled)).ShouldBe(0);
        await stream.WriteAsync(new byte[8], canceled);
        await stream.FlushAsync(canceled);
        (stream.CanRead, stream.CanWrite, stream.CanSeek).ShouldBe((true, true, false));
    }

    [Fact]
    public void A_tunnels_stream_is_not_for_those_who_block_or_seek()
    {
        using var stream = new EndedStream();

        Should.Throw<NotSupportedException>(() => stream.Read(new byte[1], 0, 1));
        Should.Throw<NotSupportedException>(() => stream.Write(new byte[1], 0, 1));
        Should.Throw<NotSupportedException>(stream.Flush);
        Should.Throw<NotSupportedException>(() => stream.Seek(0, SeekOrigin.Begin));
        Should.Throw<NotSupportedException>(() => stream.SetLength(0));
        Should.Throw<NotSupportedException>(() => stream.Length);
        Should.Throw<NotSupportedException>(() => stream.Position);
        Should.Throw<NotSupportedException>(() => stream.Position = 0);
    }
}
