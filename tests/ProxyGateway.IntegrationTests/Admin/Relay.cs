using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Something on this machine that passes on what it hears to the gateway, and the gateway's answers, and keeps what it hears.</summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly IPEndPoint _gateway;
    private readonly bool _isHttps;
    private readonly ConcurrentQueue<string> _heard = [];
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _serving;

    /// <summary>Listens.</summary>
    /// <param name="address">Where.</param>
    /// <param name="port">At which port; 0: at any.</param>
    /// <param name="gateway">Where the gateway is, by its literal address.</param>
    public Relay(IPAddress address, int port, Uri gateway)
    {
        _gateway = new IPEndPoint(IPAddress.Parse(gateway.Host), gateway.Port);
        _isHttps = gateway.Scheme == Uri.UriSchemeHttps;
        _listener = new TcpListener(address, port);
        _listener.Start();
        _serving = ServeAsync();
    }

    public Uri Url => new($"http://{_listener.LocalEndpoint}");

    /// <summary>All that its clients have sent.</summary>
    public string Heard => string.Concat(_heard);

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _serving;
        await Task.WhenAll(_connections);
        _listener.Dispose();
        _ended.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
                _connections.Add(PassOnAsync(await _listener.AcceptTcpClientAsync(_ended.Token)));
        }
        catch (OperationCanceledException)
        {
            // It is over.
        }
    }

    private async Task PassOnAsync(TcpClient client)
    {
        using (client)
        using (var gateway = new TcpClient())
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token))
        {
            try
            {
                await gateway.ConnectAsync(_gateway, over.Token);
                await using Stream stream = await OpenAsync(gateway.GetStream(), over.Token);
                await Task.WhenAny(
                    PumpAsync(client.GetStream(), stream, text => _heard.Enqueue(text), over.Token), PumpAsync(stream, client.GetStream(), _ => { }, over.Token));
                await over.CancelAsync();
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                // One of the two has left.
            }
        }
    }

    private async Task<Stream> OpenAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        if (!_isHttps)
            return stream;
        var tls = new SslStream(stream, leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, cancellationToken);
        return tls;
    }

    private static async Task PumpAsync(Stream from, Stream to, Action<string> hear, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[64 * 1024];
        for (int count; (count = await from.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            hear(Encoding.ASCII.GetString(buffer, 0, count));
            await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }
    }
}
