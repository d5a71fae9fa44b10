using ProxyGateway.Serving;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>What of systemd's environment is meant for this process.</summary>
public sealed class SystemdEnvironmentTests
{
    [Theory]
    [InlineData(null, "2", "gateway:admin", "", "")]
    [InlineData("8", "2", "gateway:admin", "", "")]
    [InlineData("7", null, "gateway:admin", "", "")]
    [InlineData("7", "0", "", "", "")]
    [InlineData("7", "x", "gateway", "", "")]
    [InlineData("7", "1", "gateway", "3", "")]
    [InlineData("7", "3", "admin:gateway:admin", "4", "3 5")]
    public void Sockets_are_distinguished_by_their_names(string? process, string? count, string names, string gateway, string operators)
    {
        SystemdSockets sockets = Read(process, count, names);

        string.Join(' ', sockets.Gateway).ShouldBe(gateway);
        string.Join(' ', sockets.Operators).ShouldBe(operators);
    }

    [Theory]
    [InlineData("1", "")]
    [InlineData("1", "proxygateway.socket")]
    [InlineData("2", "gateway")]
    [InlineData("65", "gateway")]
    public void A_socket_with_an_unknown_name_ends_the_start(string count, string names) =>
        Should.Throw<InvalidDataException>(() => Read("7", count, names)).Message.ShouldContain("FileDescriptorName=gateway");

    private static SystemdSockets Read(string? process, string? count, string names) => SystemdSockets.Read(
        name => name switch { "LISTEN_PID" => process, "LISTEN_FDS" => count, _ => names }, processId: 7);
}
