using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Operating;

/// <summary>
/// A connection whose other end has proved that it knows the key. While the gateway is down, any process of this machine can take its port,
/// and other ports at any time. So each new connection must prove it before the key is sent.
/// </summary>
internal static class ProvenConnection
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Connects by TCP.</summary>
    /// <param name="url">The address.</param>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="CommandFailedException">The other end does not know the key.</exception>
    public static async ValueTask<Stream> OpenAsync(Uri url, string key, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(url.IdnHost, url.Port, cancellationToken);
            await ProveAsync(socket, url, url.ToString(), key, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Makes the other end of a connection prove that it knows the key.</summary>
    /// <param name="socket">The connection.</param>
    /// <param name="url">The address of the request.</param>
    /// <param name="shown">Its name for people.</param>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="CommandFailedException">It does not know the key.</exception>
    public static async Task ProveAsync(Socket socket, Uri url, string shown, string key, CancellationToken cancellationToken)
    {
        // The address that was reached, not the name, which may lead to a process that relays the proof to the gateway.
        var end = socket.RemoteEndPoint as IPEndPoint;
        string address = end is null ? ProvenAddress.OfUnixSocket : ProvenAddress.Of(end);
        byte[] hash = KeyProof.HashOf(key);
        string nonce = KeyProof.NewNonce();
        var body = new ProofBody { Nonce = nonce, Proof = Base64Url.EncodeToString(KeyProof.OfClient(hash, address, nonce)) };

        // One exchange on this connection, which stays open after its client is disposed of.
        using var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectCallback = (_, _) => ValueTask.FromResult<Stream>(new NetworkStream(socket, ownsSocket: false)),
        };
        using var http = new HttpClient(handler) { BaseAddress = url, Timeout = Patience, MaxResponseContentBufferSize = 64 * 1024 };
        using var request = new HttpRequestMessage(HttpMethod.Post, "admin/v1/proof") { Content = AdminClient.Json(body, AdminJson.Body<ProofBody>()) };
        if (end is not null)
            request.Headers.Host = address;
        using HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.Forbidden)
        {
            throw new CommandFailedException(
                ExitCodes.Refused,
                $"What answers at {shown} says that it listens at another address or port than {address}, so the key was not sent; through a tunnel keep both, as in ssh -L 9090:127.0.0.1:9090");
        }

        byte[] expected = KeyProof.OfGateway(hash, address, nonce);
        if (response.StatusCode != HttpStatusCode.OK || !Holds(await response.Content.ReadAsByteArrayAsync(cancellationToken), expected))
        {
            throw new CommandFailedException(
                ExitCodes.Refused,
                $"What answers at {shown} does not know this key, so it was not sent; --key-file names another, or something else than the gateway has taken its place");
        }
    }

    private static bool Holds(byte[] body, byte[] expected)
    {
        try
        {
            return KeyProof.TryParse(JsonSerializer.Deserialize(body, AdminJson.Answer<ProofView>())?.Proof, out byte[]? proof)
                && CryptographicOperations.FixedTimeEquals(proof, expected);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
