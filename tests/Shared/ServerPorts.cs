using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.Tests.Shared;

/// <summary>
/// Ports of 127.0.0.1 for servers that cannot choose one themselves. The kernel gives none of them to an outgoing connection, where it leaves any,
/// and this process hands out none twice, so only a server of another process can be there first: <see cref="IsTaken"/> tells by its log.
/// </summary>
internal static class ServerPorts
{
    private const int Lowest = 10_000;
    private const int Highest = 65_535;
    private const int Enough = 500;

    private static readonly Lock Lock = new();
    private static readonly Queue<int> Left = new(Candidates());

    /// <summary>A port that nobody listens on.</summary>
    /// <exception cref="InvalidOperationException">This process has used them all.</exception>
    public static int Take()
    {
        lock (Lock)
        {
            while (Left.TryDequeue(out int port))
            {
                if (IsFree(port))
                    return port;
            }
        }

        throw new InvalidOperationException("No port is left.");
    }

    /// <summary>Whether a server ended because somebody else listens on its port, as its log says.</summary>
    public static bool IsTaken(string log) => log.Contains("Address already in use", StringComparison.OrdinalIgnoreCase);

    // From a point of its own, so that two processes seldom want the same ones.
    private static IEnumerable<int> Candidates()
    {
        (int first, int last) = EphemeralRange();
        int[] all = [.. Enumerable.Range(Lowest, Highest - Lowest + 1)];
        int[] ports = [.. all.Where(p => p < first || p > last)];
        if (ports.Length < Enough)
            ports = all; // a machine that gives nearly every port to outgoing connections: then one may be taken meanwhile, and another is tried
        int begin = Random.Shared.Next(Math.Max(1, ports.Length));
        return [.. ports[begin..], .. ports[..begin]];
    }

    /// <summary>The ports of outgoing connections, ip(7): <c>ip_local_port_range</c>; elsewhere what IANA sets aside for them (RFC 6335 §6).</summary>
    private static (int First, int Last) EphemeralRange()
    {
        const string file = "/proc/sys/net/ipv4/ip_local_port_range";
        if (!File.Exists(file))
            return (49_152, Highest);
        string[] range = File.ReadAllText(file).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return (int.Parse(range[0], CultureInfo.InvariantCulture), int.Parse(range[1], CultureInfo.InvariantCulture));
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
