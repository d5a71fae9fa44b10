namespace ProxyGateway.DeviceAuth.Client;

/// <summary>Looks at the beginning of a response's content, which its next reader gets whole.</summary>
internal static class StartOfContent
{
    /// <summary>The first bytes: fewer only if there are no more.</summary>
    /// <exception cref="HttpRequestException">The connection is lost.</exception>
    /// <exception cref="IOException">The connection is lost.</exception>
    public static async Task<byte[]> ReadAsync(HttpResponseMessage response, int count, CancellationToken cancellationToken)
    {
        HttpContent content = response.Content;
        Stream stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] buffer = new byte[count];
        int length = await stream.ReadAtLeastAsync(buffer, count, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        byte[] start = buffer[..length];
        response.Content = length < count ? new ByteArrayContent(start) : new StreamContent(new WholeStream(start, stream));
        foreach ((string name, var values) in content.Headers.NonValidated)
            response.Content.Headers.TryAddWithoutValidation(name, values);
        if (length < count)
            content.Dispose();
        return start;
    }

    /// <summary>What was read, and then the rest.</summary>
    private sealed class WholeStream(byte[] start, Stream rest) : Stream
    {
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _position == start.Length ? rest.ReadAsync(buffer, cancellationToken) : ValueTask.FromResult(Take(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => _position == start.Length ? rest.Read(buffer, offset, count) : Take(buffer.AsSpan(offset, count));

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            rest.Dispose();
            base.Dispose(disposing);
        }

        private int Take(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, start.Length - _position);
            start.AsSpan(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }
    }
}
