using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using ProxyGateway.IntegrationTests.Redis;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Ports that something else holds while the gateway is down, and passes to it as systemd does.</summary>
[SupportedOSPlatform("linux")]
public sealed class SystemdSocketTests : IDisposable
{
    // Two listening sockets as descriptors 3 and 4; becomes the program once the file is there.
    private const string Launcher = """
        exec perl -MSocket -e '
          $^F = 9; $| = 1;
          for (0, 1) {
            socket(my $s, PF_INET, SOCK_STREAM, 0); bind($s, sockaddr_in(0, INADDR_LOOPBACK)); listen($s, 16);
            push @s, $s; push @ports, (sockaddr_in(getsockname($s)))[0];
          }
          die "descriptors" unless fileno($s[0]) == 3 && fileno($s[1]) == 4;
          print "holds @ports\n";
          select(undef, undef, undef, 0.02) until -e "go";
          $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; $ENV{LISTEN_FDNAMES} = "admin:gateway";
          exec @ARGV' "$@"
        """;

    // A Unix socket for the command line, and a port that is to speak TLS.
    private const string LauncherWithUnixSocket = """
        exec perl -MSocket -e '
          $^F = 9;
          socket(my $u, PF_UNIX, SOCK_STREAM, 0); bind($u, sockaddr_un("operators.sock")); listen($u, 16);
          socket(my $s, PF_INET, SOCK_STREAM, 0); bind($s, sockaddr_in(0, INADDR_LOOPBACK)); listen($s, 16);
          die "descriptors" unless fileno($u) == 3 && fileno($s) == 4;
          $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; $ENV{LISTEN_FDNAMES} = "admin:admin";
          exec @ARGV' "$@"
        """;

    private readonly ProgramUnderTest _program = new();

    public void Dispose() => _program.Delete();

    [Fact]
    public async Task A_client_that_connects_before_the_gateway_runs_is_served_once_it_does()
    {
        _program.Configure("http://127.0.0.1:1");
        await using RunningProgram gateway = _program.StartServerInShell(Launcher, "proxygateway.dll");
        int[] ports = [.. (await gateway.PrintsAsync("holds ")).Split(' ').Select(int.Parse)];
        Task<string> operators = AskAsync(ports[0], "/healthz");
        Task<string> devices = AskAsync(ports[1], "/");
        (operators.IsCompleted, devices.IsCompleted).ShouldBe((false, false));

        await File.WriteAllTextAsync(Path.Combine(_program.Folder, "go"), "");

        (await operators.WaitAsync(Eventually.Patience)).ShouldEndWith("ok");
        (await devices.WaitAsync(Eventually.Patience)).ShouldStartWith("HTTP/1.1 403"); // plain HTTP on a gated route
        await gateway.PrintsAsync("Application started"); // a client may be served before the address is printed
        (await gateway.PrintsAsync("Now listening on: ")).ShouldBe($"http://127.0.0.1:{ports[1]}");
        (await gateway.PrintsAsync("Operators are served on ")).ShouldBe($"http://127.0.0.1:{ports[0]}");

        (await _program.RunAsync("devices", "list", "--admin-url", $"http://127.0.0.1:{ports[0]}")).ShouldSucceed();
        await gateway.TerminateAsync();
        (await gateway.EndsAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task With_https_the_command_line_still_uses_the_Unix_socket()
    {
        using var certificate = new TlsFiles();
        string folder = Path.GetDirectoryName(certificate.AuthorityPath)!;
        _program.Configure("http://127.0.0.1:1");
        await using RunningProgram gateway = _program.StartServerInShell(
            LauncherWithUnixSocket, "proxygateway.dll", "--Admin:Url=https://127.0.0.1:1",
            $"--Kestrel:Certificates:Default:Path={folder}/redis.pem", $"--Kestrel:Certificates:Default:KeyPath={folder}/redis.key");
        await gateway.PrintsAsync("Application started");

        (await _program.RunAsync("devices", "list", "--admin-url", "unix:operators.sock")).ShouldSucceed();
        (await gateway.PrintsAsync("Operators are served on https")).ShouldStartWith("://127.0.0.1:");
    }

    private static async Task<string> AskAsync(int port, string path)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
