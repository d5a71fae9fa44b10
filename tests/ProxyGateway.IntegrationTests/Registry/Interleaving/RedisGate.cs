using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>
/// Stands between one gateway and Redis, and lets through one command at a time: the next one goes when its turn has come and the reply to the one
/// before was delivered. So gateways are interleaved between any two commands, and can die there.
/// </summary>
internal sealed class RedisGate : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint _redis;
    private readonly byte[] _prefix;
    private readonly List<TcpClient> _open = [];

    /// <param name="redis">Where Redis is.</param>
    /// <param name="prefix">What the keys begin with. Commands that name none of them, such as those that set up a connection, need no turn.</param>
    public RedisGate(string redis, string prefix)
    {
        _redis = IPEndPoint.Parse(redis);
        _prefix = Encoding.ASCII.GetBytes(prefix);
        _listener.Start();
        EndPoint = _listener.LocalEndpoint.ToString()!;
        _ = AcceptAsync();
    }

    public string EndPoint { get; }

    /// <summary>Waits for a command's turn; null to let everything through.</summary>
    public Func<Task<Fate>>? Turn { get; set; }

    public bool IsClosed { get; private set; }

    /// <summary>Closes every connection, and takes no more.</summary>
    public void Dispose()
    {
        IsClosed = true;
        _listener.Dispose();
        lock (_open)
        {
            foreach (TcpClient connection in _open)
            {
                connection.Dispose();
            }
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                var server = new TcpClient();
                lock (_open)
                    _open.AddRange([client, server]);
                _ = RelayAsync(client, server);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // the gateway is dead
        }
    }

    private async Task RelayAsync(TcpClient client, TcpClient server)
    {
        using (client)
        using (server)
        {
            try
            {
                client.NoDelay = server.NoDelay = true;
                await server.ConnectAsync(_redis);
                NetworkStream toClient = client.GetStream();
                NetworkStream toServer = server.GetStream();
                var commands = new RespReader(toClient);
                var replies = new RespReader(toServer);
                while (await commands.ReadAsync() is { } command)
                {
                    Fate fate = Turn is { } turn && command.AsSpan().IndexOf(_prefix) >= 0 ? await turn() : Fate.Lives;
                    if (fate != Fate.DiesBefore)
                        await toServer.WriteAsync(command);
                    if (command.AsSpan().IndexOf("SUBSCRIBE"u8) >= 0)
                    {
                        await Task.WhenAny(toServer.CopyToAsync(toClient), toClient.CopyToAsync(toServer)); // from here on there is more than replies
                        return;
                    }

                    byte[]? reply = fate == Fate.DiesBefore ? null : await replies.ReadAsync();
                    if (fate != Fate.Lives)
                        Dispose();
                    if (reply is null)
                        return;
                    await toClient.WriteAsync(reply);
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // one of the two is gone, and so is the other
            }
        }
    }

    /// <summary>Reads the values of the Redis protocol, version 2, one by one, as they are.</summary>
    private sealed class RespReader(NetworkStream stream)
    {
        private byte[] _buffer = new byte[16 * 1024];
        private int _end;

        /// <summary>The bytes of the next value; null at the end.</summary>
        public async Task<byte[]?> ReadAsync()
        {
            int at = 0;
            for (int pending = 1; pending > 0; pending--)
            {
                int line;
                while ((line = _buffer.AsSpan(at, _end - at).IndexOf("\r\n"u8)) < 0)
                {
                    if (!await FillAsync())
                        return null;
                }

                int count = _buffer[at] is (byte)'*' or (byte)'$' ? int.Parse(Encoding.ASCII.GetString(_buffer, at + 1, line - 1)) : 0;
                pending += _buffer[at] == '*' ? Math.Max(count, 0) : 0;
                int bytes = _buffer[at] == '$' && count >= 0 ? count + 2 : 0;
                at += line + 2;
                while (_end - at < bytes)
                {
                    if (!await FillAsync())
                        return null;
                }

                at += bytes;
            }

            byte[] value = _buffer[..at];
            _buffer.AsSpan(at, _end - at).CopyTo(_buffer);
            _end -= at;
            return value;
        }

        private async Task<bool> FillAsync()
        {
            if (_end == _buffer.Length)
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            int read = await stream.ReadAsync(_buffer.AsMemory(_end));
            _end += read;
            return read > 0;
        }
    }
}
