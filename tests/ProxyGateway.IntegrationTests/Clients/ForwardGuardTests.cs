using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>Who may use a forwarder: it lends out a device's identity.</summary>
[SupportedOSPlatform("linux")]
public sealed class ForwardGuardTests(ForwardGuardTests.Setting setting) : IClassFixture<ForwardGuardTests.Setting>
{
    [Theory]
    [InlineData("127.0.0.1", HttpStatusCode.OK)]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("[::1]", HttpStatusCode.OK)]
    [InlineData("rebound.example", HttpStatusCode.Forbidden)]
    [InlineData("127.0.0.1.example", HttpStatusCode.Forbidden)]
    [InlineData("192.168.1.7", HttpStatusCode.Forbidden)]
    public async Task A_name_that_was_rebound_to_loopback_is_refused(string host, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await AskAsync(("Host", $"{host}:{setting.Forward.Address.Port}"));

        await ShouldBeAsync(answer, expected, "forward_wrong_host");
        setting.Gate.State.Requests.ShouldBe(expected == HttpStatusCode.OK ? 1 : 0);
    }

    [Theory]
    [InlineData("Origin", "https://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "http://127.0.0.1:1", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "own", HttpStatusCode.OK)]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-site", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-origin", HttpStatusCode.OK)]
    [InlineData("Sec-Fetch-Site", "none", HttpStatusCode.OK)]
    public async Task A_page_of_another_site_is_refused(string header, string value, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await AskAsync((header, value == "own" ? setting.Forward.Address.GetLeftPart(UriPartial.Authority) : value));

        await ShouldBeAsync(answer, expected, "forward_origin_refused");
        setting.Gate.State.Requests.ShouldBe(expected == HttpStatusCode.OK ? 1 : 0);
    }

    [RootFact]
    public async Task Another_user_of_the_machine_is_refused()
    {
        var endPoint = new IPEndPoint(IPAddress.Loopback, setting.Forward.Address.Port);
        using Socket socket = OtherUser.ConnectSocket(endPoint);
        using var stream = new NetworkStream(socket);

        string answer = await ExchangeAsync(stream);

        answer.ShouldBeEmpty();
        (await setting.Forward.SaysAsync("A connection of user")).ShouldContain($"{OtherUser.Id}");
        setting.Gate.State.Requests.ShouldBe(0);
    }

    [RootFact]
    public async Task Another_user_is_served_where_that_is_asked_for()
    {
        await using ForwardProgram forward = await ForwardProgram.StartAsync(setting.Gate.Address, "--any-user");
        using Socket socket = OtherUser.ConnectSocket(new IPEndPoint(IPAddress.Loopback, forward.Address.Port));
        using var stream = new NetworkStream(socket);

        (await ExchangeAsync(stream)).ShouldStartWith("HTTP/1.1 503 ", customMessage: "its own device is not let in yet");
    }

    [Fact]
    public async Task A_socket_is_its_owners_alone_and_one_that_was_left_is_replaced()
    {
        string path = Path.Combine(setting.Forward.Folder, "agent.sock");
        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            left.Bind(new UnixDomainSocketEndPoint(path));
            File.Move(path, path + ".left"); // disposal removes the file of its name
        }

        File.Move(path + ".left", path);

        await using ForwardProgram forward = await ForwardProgram.StartAsync(setting.Gate.Address, "--listen", "unix:" + path);
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        using var stream = new NetworkStream(socket);

        (await ExchangeAsync(stream)).ShouldStartWith("HTTP/1.1 503 ");
    }

    [Fact]
    public async Task A_token_is_wanted_of_each_request_and_does_not_leave_the_machine()
    {
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(setting.Gate, new Uri(setting.Gate.Address, "/work"), "--token", "s3cret", "--identity", "t.json");
        using HttpClient client = forward.Client();
        setting.Gate.Heard.Clear();

        foreach (string? wrong in (string?[])[null, "Bearer s3cre", "Bearer s3crets", "s3cret", "Basic czNjcmV0", "Basic !"])
        {
            using HttpResponseMessage refused = await AskAsync(client, ("Authorization", wrong));
            await ProofSetting.ProblemOf(refused, HttpStatusCode.Forbidden, "forward_token_required");
        }

        setting.Gate.Heard.ShouldBeEmpty();
        foreach (string right in (string[])["Bearer s3cret", "bearer s3cret", "Basic " + Convert.ToBase64String("me:s3cret"u8)])
        {
            using HttpResponseMessage answer = await AskAsync(client, ("Authorization", right));
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        using HttpResponseMessage both = await AskAsync(client, ("Authorization", "Bearer of-the-agent"), ("Proxy-Authorization", "Bearer s3cret"));
        both.StatusCode.ShouldBe(HttpStatusCode.OK);
        setting.Gate.Heard.Select(headers => headers.Authorization.ToString()).ShouldBe(["", "", "", "Bearer of-the-agent"]);
        setting.Gate.Heard.ShouldAllBe(headers => !headers.ContainsKey("Proxy-Authorization"));
    }

    [Theory]
    [InlineData("forward")]
    [InlineData("forward", "gate.example")]
    [InlineData("forward", "http://gate.example/agent")]
    [InlineData("forward", "https://gate.example/agent?q=1")]
    [InlineData("forward", "https://gate.example/agent", "--listen", "0.0.0.0:7420")]
    [InlineData("forward", "https://gate.example/agent", "--listen", "192.168.1.7:7420")]
    [InlineData("forward", "https://gate.example/agent", "--listen", "[::]:7420")]
    [InlineData("forward", "https://gate.example/agent", "--listen", "7420")]
    [InlineData("forward", "https://gate.example/agent", "https://gate.example/other", "--listen", "127.0.0.1:7420")]
    [InlineData("forward", "https://gate.example/agent", "--token", "")]
    public async Task Nothing_else_is_listened_on_and_nothing_else_forwarded_to(params string[] arguments)
    {
        var program = new ProgramUnderTest();
        try
        {
            (await program.RunAsync(arguments)).ShouldFail(2);
        }
        finally
        {
            program.Delete();
        }
    }

    // Of the forwarder's own: the gate behind it refuses some of these as well.
    private static async Task ShouldBeAsync(HttpResponseMessage answer, HttpStatusCode expected, string code)
    {
        if (expected == HttpStatusCode.OK)
            answer.StatusCode.ShouldBe(expected);
        else
            await ProofSetting.ProblemOf(answer, expected, code);
    }

    private static async Task<string> ExchangeAsync(Stream stream)
    {
        using var patience = new CancellationTokenSource(Eventually.Patience);
        byte[] buffer = new byte[4096];
        try
        {
            await stream.WriteAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), patience.Token);
            return Encoding.ASCII.GetString(buffer, 0, await stream.ReadAsync(buffer, patience.Token));
        }
        catch (IOException)
        {
            return "";
        }
    }

    private async Task<HttpResponseMessage> AskAsync(params (string Name, string? Value)[] headers)
    {
        using HttpClient client = setting.Forward.Client();
        setting.Gate.State.Requests = 0;
        return await AskAsync(client, headers);
    }

    private static async Task<HttpResponseMessage> AskAsync(HttpClient client, params (string Name, string? Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        foreach ((string name, string? value) in headers)
        {
            if (value is not null)
                request.Headers.TryAddWithoutValidation(name, value).ShouldBeTrue();
        }

        return await client.SendAsync(request);
    }

    public sealed class Setting : IAsyncLifetime
    {
        internal ProofSetting Gate { get; private set; } = null!;

        internal ForwardProgram Forward { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            Gate = await ProofSetting.StartAsync();
            Forward = await ForwardProgram.StartPairedAsync(Gate, new Uri(Gate.Address, "/work"));
        }

        public async Task DisposeAsync()
        {
            await Forward.DisposeAsync();
            await Gate.DisposeAsync();
        }
    }
}
