using System.Buffers;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>
/// A first-in-first-out buffer in pooled memory that grows as needed. For the handshake only: <see cref="Dispose"/> returns the memory.
/// </summary>
internal sealed class ByteBuffer : IDisposable
{
    private byte[] _bytes = [];
    private int _start;
    private int _end;

    public int Length => _end - _start;

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(_start, Length);

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(_start, Length);

    /// <summary>Free space for at least this many more bytes; call <see cref="Commit"/> with the number received.</summary>
    public Memory<byte> Reserve(int count)
    {
        if (_bytes.Length - _end < count)
            Grow(count);
        return _bytes.AsMemory(_end);
    }

    public void Commit(int count) => _end += count;

    public Span<byte> Append(ReadOnlySpan<byte> data)
    {
        data.CopyTo(Reserve(data.Length).Span);
        Commit(data.Length);
        return _bytes.AsSpan(_end - data.Length, data.Length);
    }

    public void Consume(int count) => _start += count;

    public void Clear() => _start = _end = 0;

    /// <summary>Returns the memory. The buffer is empty then, and may be used again.</summary>
    public void Dispose()
    {
        byte[] bytes = _bytes;
        _bytes = [];
        Clear();
        ArrayPool<byte>.Shared.Return(bytes, clearArray: true); // it may have held tokens
    }

    private void Grow(int count)
    {
        byte[] old = _bytes;
        int length = Length;
        // At least doubled, so each byte is moved a few times at most, even if bytes arrive singly.
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(1024, length + Math.Max(length, count)));
        old.AsSpan(_start, length).CopyTo(larger);
        (_bytes, _start, _end) = (larger, 0, length);
        ArrayPool<byte>.Shared.Return(old, clearArray: true);
    }
}
