using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Something that has taken the gateway's port while it was down: answers every request, and keeps what it hears.</summary>
internal sealed class Impostor : IDisposable
{
    private readonly TcpListener _listener;
    private readonly Func<string, string> _answer;
    private readonly ConcurrentQueue<string> _heard = [];
    private readonly Task _serving;

    /// <summary>Listens.</summary>
    /// <param name="port">Where; 0: anywhere.</param>
    /// <param name="answer">Status line and body for a request's text, as in "200 OK {}".</param>
    public Impostor(int port, Func<string, string> answer)
    {
        _answer = answer;
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Url => $"http://{_listener.LocalEndpoint}";

    /// <summary>Every request, with its headers and body.</summary>
    public IReadOnlyCollection<string> Heard => _heard;

    public void Dispose()
    {
        _listener.Dispose();
        _serving.Wait();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
                _ = AnswerAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // It is over.
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                var text = new StringBuilder();
                byte[] buffer = new byte[4096];
                while (!IsWhole(text.ToString()))
                {
                    int count = await stream.ReadAsync(buffer);
                    if (count == 0)
                        return;
                    text.Append(Encoding.ASCII.GetString(buffer, 0, count));
                }

                _heard.Enqueue(text.ToString());
                string[] answer = _answer(text.ToString()).Split(" {", 2);
                string body = "{" + answer[1];
                await stream.WriteAsync(Encoding.ASCII.GetBytes(
                    $"HTTP/1.1 {answer[0]}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
            }
            catch (IOException)
            {
                // The other side has left.
            }
        }
    }

    private static bool IsWhole(string text)
    {
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
            return false;
        int at = text.IndexOf("content-length:", StringComparison.OrdinalIgnoreCase);
        return at < 0 || text.Length >= end + 4 + int.Parse(text[(at + 15)..text.IndexOf('\r', at)]);
    }
}
