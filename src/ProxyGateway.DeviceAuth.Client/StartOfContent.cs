using System.Buffers;
using System.IO.Pipelines;

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
        PipeReader reader = PipeReader.Create(stream);
        ReadOnlySequence<byte> read = (await reader.ReadAtLeastAsync(count, cancellationToken).ConfigureAwait(false)).Buffer;
        bool isAll = read.Length < count;
        byte[] start = read.Slice(0, Math.Min(count, read.Length)).ToArray();
        reader.AdvanceTo(read.Start); // the next reader begins here
        response.Content = isAll ? new ByteArrayContent(start) : new StreamContent(reader.AsStream());
        foreach ((string name, var values) in content.Headers.NonValidated)
            response.Content.Headers.TryAddWithoutValidation(name, values);
        if (isAll)
            await reader.CompleteAsync().ConfigureAwait(false);
        return start;
    }
}
