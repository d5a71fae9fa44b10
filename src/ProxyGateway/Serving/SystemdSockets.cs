using System.Collections.Immutable;
using System.Globalization;

namespace ProxyGateway.Serving;

/// <summary>
/// Sockets that systemd has opened for the gateway (sd_listen_fds(3)): systemd holds them while the gateway is down, so no other process
/// can take the ports, and clients that connect meanwhile wait.
/// </summary>
/// <param name="Gateway">Descriptors for devices; empty: the gateway listens on <c>Urls</c>.</param>
/// <param name="Operators">Descriptors for operators; empty: the gateway listens on <c>Admin:Url</c>.</param>
internal sealed record SystemdSockets(ImmutableArray<int> Gateway, ImmutableArray<int> Operators)
{
    private const int FirstDescriptor = 3; // SD_LISTEN_FDS_START
    private const int Most = 64;
    private const string GatewayName = "gateway";
    private const string OperatorsName = "admin";

    /// <summary>The sockets that systemd has passed to this process, if any.</summary>
    /// <exception cref="InvalidDataException">A socket's name is unknown.</exception>
    public static SystemdSockets Inherited() => Read(Environment.GetEnvironmentVariable, Environment.ProcessId);

    /// <summary>The same, from another environment.</summary>
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
