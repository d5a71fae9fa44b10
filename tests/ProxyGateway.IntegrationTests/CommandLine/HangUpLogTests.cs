using System.Net;
using System.Net.Sockets;
using System.Text;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>How much clients that hang up within a body can have the program print: YARP and Kestrel log them, not the gate.</summary>
public sealed class HangUpLogTests : IAsyncLifetime, IDisposable
{
    private const int Resets = 50;
    private const int BrokenBodies = 100;

    private readonly ProgramUnderTest _program = new();

    // Takes connections, and never answers.
    private readonly TcpListener _backend = new(IPAddress.Loopback, 0);

    public Task InitializeAsync()
    {
        _backend.Start(backlog: 512);
        _program.Configure($"http://{_backend.LocalEndpoint}");
        return Task.CompletedTask;
    }

    public Task DisposeAsync()
    {
        _program.Delete();
        return Task.CompletedTask;
    }

    public void Dispose() => _backend.Dispose();

    [Fact]
    public async Task Log_lines_of_clients_that_hang_up_are_limited_and_hide_no_backend_that_is_down()
    {
        await using RunningProgram gateway = _program.StartServer("proxygateway.dll", "--DeviceAuth:HttpRequests", "Allow");
        await gateway.PrintsAsync("Application started");
        var url = new Uri(await gateway.PrintsAsync("Now listening on:"));
        for (int i = 0; i < Resets; i++)
        {
            using Socket client = await SendAsync(url, $"POST /x HTTP/1.1\r\nHost: {url.Authority}\r\nContent-Length: 5000\r\n\r\nabc");
            using Socket forwarded = await _backend.AcceptSocketAsync().WaitAsync(Eventually.Patience);
            await ReceiveAsync(forwarded, "\r\n\r\n");
            client.Close();
            await ShouldEndAsync(forwarded);
        }

        // Each of these is a line for certain; of the ones above YARP takes some for cancelled.
        for (int i = 0; i < BrokenBodies; i++)
        {
            using Socket client = await SendAsync(url, $"POST /x HTTP/1.1\r\nHost: {url.Authority}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
            await ReceiveAsync(client, "\r\n\r\n");
        }

        _backend.Stop();
        using var http = new HttpClient { Timeout = Eventually.Patience };
        using HttpResponseMessage down = await http.GetAsync(url);
        ((int)down.StatusCode).ShouldBe(502);
        await gateway.PrintsAsync("Connection refused");
        await gateway.TerminateAsync();
        (await gateway.EndsAsync()).ShouldBe(0);

        string[] lines = gateway.Lines();
        string[] errors = [.. lines.Where(l => l.Contains("HttpForwarder[48]"))];
        errors.Length.ShouldBe(PacedLogger.LinesPerMinute + 1);
        errors.ShouldContain(l => l.Contains("Connection refused"));
        errors.Count(l => l.Contains("   at ")).ShouldBe(2, "the first of each kind has its stack");
        errors.Where(l => !l.Contains("   at ")).ShouldAllBe(l => l.Length < 1000);
        lines.ShouldContain(l => l.Contains("HttpForwarder[1900]") && l.Contains(" more of event 48 "));
    }

    [Fact]
    public async Task An_operator_who_hangs_up_within_a_body_causes_no_error()
    {
        // With a line of the library's for each request, to see that this listener's are paced, too.
        await using RunningProgram gateway = _program.StartServer("proxygateway.dll", "--Logging:LogLevel:Microsoft.AspNetCore=Information");
        await gateway.PrintsAsync("Application started");
        var url = new Uri(await gateway.PrintsAsync("Operators are served on"));
        string key = (await File.ReadAllTextAsync(_program.KeyFile)).Trim();
        for (int i = 0; i < 40; i++)
        {
            using Socket client = await SendAsync(
                url,
                $"POST /admin/v1/devices/import HTTP/1.1\r\nHost: {url.Authority}\r\nAuthorization: Bearer {key}\r\n"
                    + "Content-Type: application/json\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
            await ReceiveAsync(client, "100 Continue\r\n\r\n"); // the body is being read
            await client.SendAsync("{\"a"u8.ToArray());
        }

        await gateway.TerminateAsync();
        (await gateway.EndsAsync()).ShouldBe(0);
        gateway.Lines().ShouldNotContain(l => l.Contains("fail:") || l.Contains("warn:"));
        gateway.Lines().Count(l => l.Contains("Hosting.Diagnostics[1]")).ShouldBe(PacedLogger.LinesPerMinute);
    }

    /// <summary>A socket that is reset as soon as it is closed.</summary>
    private static async Task<Socket> SendAsync(Uri url, string text)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, LingerState = new LingerOption(true, 0) };
        await socket.ConnectAsync(IPAddress.Loopback, url.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(text));
        return socket;
    }

    private static async Task ReceiveAsync(Socket socket, string sign)
    {
        byte[] buffer = new byte[4096];
        string text = "";
        while (!text.Contains(sign))
        {
            int count = await socket.ReceiveAsync(buffer).WaitAsync(Eventually.Patience);
            count.ShouldBeGreaterThan(0, text);
            text += Encoding.ASCII.GetString(buffer, 0, count);
        }
    }

    private static async Task ShouldEndAsync(Socket socket)
    {
        try
        {
            (await socket.ReceiveAsync(new byte[1]).WaitAsync(Eventually.Patience)).ShouldBe(0);
        }
        catch (SocketException)
        {
            // It is reset.
        }
    }
}
