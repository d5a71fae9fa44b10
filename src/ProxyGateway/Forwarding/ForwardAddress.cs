using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.Forwarding;

/// <summary>Where a forwarder listens: an address of loopback, or a Unix socket. Elsewhere it would lend the device's identity to others.</summary>
/// <param name="EndPoint">The address.</param>
/// <param name="IsHttp2">Whether clients speak HTTP/2 without TLS there, by prior knowledge, as gRPC does; otherwise HTTP/1.1.</param>
internal sealed record ForwardAddress(EndPoint EndPoint, bool IsHttp2)
{
    public const string Default = "127.0.0.1:7420";

    private const string Http2Prefix = "h2c:";
    private const string UnixPrefix = "unix:";

    /// <summary>The path of the socket; null if it is an address.</summary>
    public string? SocketPath => (EndPoint as UnixDomainSocketEndPoint)?.ToString();

    /// <summary>Reads an address.</summary>
    /// <exception cref="CommandFailedException">It is none of these.</exception>
    public static ForwardAddress Parse(string text)
    {
        bool isHttp2 = text.StartsWith(Http2Prefix, StringComparison.Ordinal);
        string rest = isHttp2 ? text[Http2Prefix.Length..] : text;
        if (rest.StartsWith(UnixPrefix, StringComparison.Ordinal) && !OperatingSystem.IsWindows())
            return new ForwardAddress(SocketOf(Path.GetFullPath(rest[UnixPrefix.Length..])), isHttp2);
        if (rest.StartsWith("localhost:", StringComparison.OrdinalIgnoreCase))
            rest = string.Concat("127.0.0.1", rest.AsSpan("localhost".Length));
        if (!IPEndPoint.TryParse(rest, out IPEndPoint? endPoint) || !rest.EndsWith($":{endPoint.Port}", StringComparison.Ordinal))
            throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is no address to listen on, as in {Default}, h2c:{Default} or unix:/run/user/1000/agent.sock");
        if (!IPAddress.IsLoopback(endPoint.Address))
        {
            throw new CommandFailedException(
                ExitCodes.Usage, $"'{text}' is not on loopback: anybody who reaches a forwarder acts as this device. Listen on {Default}, or on a Unix socket");
        }

        return new ForwardAddress(endPoint, isHttp2);
    }

    private static UnixDomainSocketEndPoint SocketOf(string path)
    {
        try
        {
            return new UnixDomainSocketEndPoint(path);
        }
        catch (ArgumentException e)
        {
            throw new CommandFailedException(ExitCodes.Usage, $"'{path}' cannot be a socket: {e.Message}");
        }
    }
}
