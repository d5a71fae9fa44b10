using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace ProxyGateway.Serving;

/// <summary>
/// The memory for Kestrel's socket buffers: blocks of 32 KiB instead of its own 4 KiB, so that a large message takes one system call
/// instead of several. A connection holds blocks only while bytes are under way.
/// </summary>
internal sealed class BlockPool : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int BlockSize = 32 * 1024;

    private readonly ConcurrentQueue<Block> _spare = new();

    /// <inheritdoc/>
    public override int MaxBufferSize => BlockSize;

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    /// <inheritdoc/>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        if (!_spare.TryDequeue(out Block? block))
            block = new Block(this);
        block.Take();
        return block;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // Kestrel calls this for each of its threads; there is nothing to free.
    }

    /// <summary>
    /// An array of the shared pool, which frees unused ones; only its holder is kept here, so that renting allocates nothing.
    /// </summary>
    private sealed class Block(BlockPool pool) : IMemoryOwner<byte>
    {
        private byte[]? _array;

        public Memory<byte> Memory => _array;

        public void Take() => _array = ArrayPool<byte>.Shared.Rent(BlockSize);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _array, null) is not { } array)
                return;
            ArrayPool<byte>.Shared.Return(array);
            pool._spare.Enqueue(this);
        }
    }
}
