using System.Collections.Immutable;
using System.Globalization;

namespace ProxyGateway.Serving;

/// <summary>
/// Sockets that systemd has opened for the gateway (sd_listen_fds(3)): it holds them while the gateway is down, so that nobody else can take the
/// ports, and who connects meanwhile waits.
/// </summary>
/// <param name="Gateway">Descriptors on which devices are served; empty: the gateway listens on <c>Urls</c> itself.</param>
/// <param name="Operators">Descriptors on which operators are served; empty: the gateway listens on <c>Admin:Url</c> itself.</param>
internal sealed record SystemdSockets(ImmutableArray<int> Gateway, ImmutableArray<int> Operators)
{
    private const int FirstDescriptor = 3; // SD_LISTEN_FDS_START
    private const int Most = 64;
    private const string GatewayName = "gateway";
    private const string OperatorsName = "admin";

    /// <summary>What systemd has passed to this process; nothing if it has not.</summary>
    /// <exception cref="InvalidDataException">A socket has a name that says neither whom it is for.</exception>
    public static SystemdSockets Inherited() => Read(Environment.GetEnvironmentVariable, Environment.ProcessId);

    /// <summary>The same, of another environment.</summary>
    internal static SystemdSockets Read(Func<string, string?> variable, int processId)
    {
        var none = new SystemdSockets([], []);
        if (variable("LISTEN_PID") != processId.ToString(CultureInfo.InvariantCulture)) // meant for another process
            return none;
        if (!int.TryParse(variable("LISTEN_FDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count == 0)
            return none;
        string[] names = (variable("LISTEN_FDNAMES") ?? "").Split(':');
        if (count > Most || names.Length != count || names.Any(n => n is not (GatewayName or OperatorsName)))
        {
            throw new InvalidDataException(
                $"systemd passes {count} sockets named '{string.Join(':', names)}'; allowed: FileDescriptorName={GatewayName} for devices, FileDescriptorName={OperatorsName} for operators, at most {Most}.");
        }

        ImmutableArray<int> Named(string name) => [.. Enumerable.Range(0, count).Where(i => names[i] == name).Select(i => FirstDescriptor + i)];
        return new SystemdSockets(Named(GatewayName), Named(OperatorsName));
    }
}
