using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The Unix socket by which the command line reaches the gateway. The configured port is the system's choice, so that it cannot be the way.</summary>
[SupportedOSPlatform("linux")]
public sealed class LocalSocketTests : IAsyncLifetime
{
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ProgramUnderTest _program = new();
    private RunningProgram _gateway = null!;

    private string SocketPath => Path.Combine(_program.Folder, "data", "admin.sock");

    public async Task InitializeAsync()
    {
        _program.Configure("http://127.0.0.1:1");
        _gateway = await StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task The_command_line_uses_the_socket_which_is_removed_with_the_gateway()
    {
        File.GetUnixFileMode(SocketPath).ShouldBe(Owners);
        Directory.GetDirectories(Path.GetDirectoryName(SocketPath)!).ShouldBeEmpty();
        (await _program.RunAsync("devices", "list")).ShouldSucceed();
        (await _program.RunAsync("devices", "list", "--admin-url", "unix:data/admin.sock")).ShouldSucceed();

        await _gateway.TerminateAsync();
        (await _gateway.EndsAsync()).ShouldBe(0);

        File.Exists(SocketPath).ShouldBeFalse();
        (await _program.RunAsync("devices", "list", "--admin-url", "unix:data/admin.sock")).ShouldFail(3);
    }

    [Fact]
    public async Task A_socket_that_a_killed_gateway_left_is_replaced()
    {
        await _gateway.DisposeAsync();
        File.Exists(SocketPath).ShouldBeTrue();

        _gateway = await StartAsync();

        (await _program.RunAsync("devices", "list")).ShouldSucceed();
    }

    [Fact]
    public async Task A_socket_that_a_gateway_listens_on_is_not_replaced()
    {
        (await _program.RunAsync("Registry:Sqlite:Path=other.db", "--Admin:Socket=data/admin.sock")).Error.ShouldContain("in use by another process");
        await using (RunningProgram other = _program.StartServer("proxygateway.dll", "Registry:Sqlite:Path=other.db"))
        {
            await other.PrintsAsync("The command line's socket data/admin.sock cannot be made");
            await other.PrintsAsync("Application started");
            await other.TerminateAsync();
            (await other.EndsAsync()).ShouldBe(0);
        }

        (await _program.RunAsync("devices", "list")).ShouldSucceed();
    }

    [Fact]
    public async Task A_socket_whose_lock_is_held_is_not_replaced()
    {
        await _gateway.DisposeAsync(); // what it has left looks as that of a gateway on another host that shares the volume
        await using (new FileStream(SocketPath + ".lock", FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            (await _program.RunAsync("--Admin:Socket=data/admin.sock")).Error.ShouldContain("in use by another process");
        File.Exists(SocketPath).ShouldBeTrue();

        _gateway = await StartAsync();

        File.GetUnixFileMode(SocketPath + ".lock").ShouldBe(Owners);
        (await _program.RunAsync("devices", "list", "--admin-url", "unix:data/admin.sock")).ShouldSucceed();
    }

    [Fact]
    public async Task A_gateway_that_ends_deletes_only_its_own_socket()
    {
        File.Delete(SocketPath);
        await File.WriteAllTextAsync(SocketPath, "");

        await _gateway.TerminateAsync();
        (await _gateway.EndsAsync()).ShouldBe(0);

        File.Exists(SocketPath).ShouldBeTrue();
    }

    [Theory]
    [InlineData("200 OK")]
    [InlineData("401 Unauthorized")]
    [InlineData("403 Forbidden")]
    public async Task The_key_is_not_sent_to_a_socket_of_this_user_that_does_not_know_it(string status)
    {
        using Socket listener = Listen("other.sock");
        Task<Ended> command = _program.RunAsync("devices", "list", "--admin-url", "unix:other.sock");
        string heard = "";
        while (!heard.Contains("\"proof\":"))
        {
            using Socket connection = await listener.AcceptAsync().WaitAsync(Eventually.Patience);
            byte[] buffer = new byte[4096];
            for (int count; !heard.Contains("\"proof\":") && (count = await connection.ReceiveAsync(buffer)) > 0;)
                heard += Encoding.ASCII.GetString(buffer, 0, count);
            if (heard.Length > 0)
                await connection.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"));
        }

        (await command).ShouldFail(1).ShouldContain("unix:other.sock");

        heard.ShouldStartWith("POST /admin/v1/proof");
        heard.ShouldNotContain("Authorization");
        listener.Poll(0, SelectMode.SelectRead).ShouldBeFalse("it was asked once");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_callers_key_is_sent_to_the_folders_socket_only_if_nobody_else_can_write_to_the_folder(bool isTrusted)
    {
        string folder = Path.Combine(_program.Folder, "elsewhere");
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        using Socket listener = Listen("elsewhere/data/admin.sock");
        if (!isTrusted)
            File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherWrite);

        Task<Ended> command = _program.RunInShellAsync($"cd elsewhere; PROXYGATEWAY_ADMIN_KEY={new string('x', 43)} \"$@\"", "devices", "list");
        Task<Socket> asked = listener.AcceptAsync();
        await Task.WhenAny(asked, command).WaitAsync(Eventually.Patience);

        asked.IsCompleted.ShouldBe(isTrusted);
        listener.Dispose();
        await command;
    }

    [Fact]
    public async Task A_file_that_is_no_socket_is_not_replaced()
    {
        string file = Path.Combine(_program.Folder, "notes");
        await File.WriteAllTextAsync(file, "");

        (await _program.RunAsync("Registry:Sqlite:Path=other.db", "--Admin:Socket=notes")).Error.ShouldContain("notes is there, and is not a socket");

        File.Exists(file).ShouldBeTrue();
    }

    [Fact]
    public async Task With_an_empty_path_no_socket_is_made()
    {
        await using RunningProgram other = _program.StartServer("proxygateway.dll", "Registry:Sqlite:Path=other/registry.db", "--Admin:Socket=", "--Admin:KeyFile=other/admin.key");

        await other.PrintsAsync("Application started");

        Directory.GetFiles(Path.Combine(_program.Folder, "other"), "*.sock").ShouldBeEmpty();
        other.Lines().ShouldNotContain(l => l.Contains("socket"));
    }

    [Theory]
    [InlineData("Host: evil.example", "host-refused")]
    [InlineData("Host: localhost\r\nOrigin: http://evil.example", "origin-refused")]
    public async Task Requests_of_web_pages_are_refused_on_the_socket_too(string headers, string problem)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /admin/v1/me HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n"));

        using var answer = new StreamReader(new NetworkStream(socket));
        (await answer.ReadToEndAsync()).ShouldContain(problem);
    }

    [RootTheory]
    [InlineData(null)]
    [InlineData("data/admin.sock")]
    public async Task A_socket_of_another_user_gets_no_bytes(string? configured)
    {
        await _gateway.TerminateAsync();
        await _gateway.EndsAsync();
        string data = Path.GetDirectoryName(SocketPath)!;
        OtherUser.Give(_program.Folder);
        OtherUser.Give(data);
        using Socket planted = OtherUser.As(OtherUser.Id, () =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(SocketPath));
            socket.Listen();
            return socket;
        });
        foreach (string path in new[] { SocketPath, data, _program.Folder })
            OtherUser.Give(path, user: 0); // all looks well but for who listens
        if (configured is not null)
            await File.WriteAllTextAsync(Path.Combine(_program.Folder, "appsettings.json"), $$"""{ "Admin": { "Url": "http://127.0.0.1:1", "Socket": "{{configured}}" } }""");
        else
            await File.WriteAllTextAsync(Path.Combine(_program.Folder, "appsettings.json"), """{ "Admin": { "Url": "http://127.0.0.1:1" } }""");

        (await _program.RunAsync("devices", "list")).ShouldFail(3);
        (await _program.RunAsync("devices", "list", "--admin-url", "unix:" + SocketPath)).ShouldFail(3);

        for (int i = 0; i < 2; i++)
        {
            using Socket heard = await planted.AcceptAsync().WaitAsync(Eventually.Patience);
            (await heard.ReceiveAsync(new byte[16])).ShouldBe(0);
        }
    }

    private Socket Listen(string name)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_program.Folder, name)));
        socket.Listen();
        return socket;
    }

    private async Task<RunningProgram> StartAsync()
    {
        RunningProgram gateway = _program.StartServer("proxygateway.dll");
        await gateway.PrintsAsync("Application started");
        return gateway;
    }
}
