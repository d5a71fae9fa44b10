namespace ProxyGateway.Forwarding;

/// <summary>Keeps a small body in memory, so that its request can be sent once more when the gateway wants a newer nonce. Larger ones pass as they come.</summary>
internal sealed class SmallBodies : DelegatingHandler
{
    private const int MaxBytes = 64 * 1024;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is { Headers.ContentLength: <= MaxBytes } streamed)
        {
            var content = new ByteArrayContent(await streamed.ReadAsByteArrayAsync(cancellationToken));
            foreach ((string name, IEnumerable<string> values) in streamed.Headers.NonValidated.Select(h => (h.Key, (IEnumerable<string>)h.Value)))
                content.Headers.TryAddWithoutValidation(name, values);
            request.Content = content;
        }

        return await base.SendAsync(request, cancellationToken);
    }
}
