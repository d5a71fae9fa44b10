using System.Net;
using System.Runtime.Versioning;
using ProxyGateway.IntegrationTests.Admin;
using ProxyGateway.IntegrationTests.Redis;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Somebody on this machine listens where the command line looks, and passes its proof on to the gateway, which runs elsewhere.</summary>
[SupportedOSPlatform("linux")]
public sealed class RelayTests : IDisposable
{
    private readonly ProgramUnderTest _program = new();
    private readonly TlsFiles _certificate = new();

    public void Dispose()
    {
        _certificate.Dispose();
        _program.Delete();
    }

    [Theory]
    [InlineData("another port", "127.0.0.1")] // as the default one, where Admin:Url is another
    [InlineData("another address", "127.0.0.2")] // as [::1], where localhost is both
    [InlineData("https", "127.0.0.1")]
    public async Task A_process_that_relays_the_proof_does_not_get_the_key(string way, string address)
    {
        _program.Configure("http://127.0.0.1:1");
        await using RunningProgram running = _program.StartServer("proxygateway.dll", way == "https" ? Https : []);
        await running.PrintsAsync("Application started");
        var gateway = new Uri(await running.PrintsAsync("Operators are served on "));
        string key = await File.ReadAllTextAsync(_program.KeyFile);
        await using var relay = new Relay(IPAddress.Parse(address), way == "another address" ? gateway.Port : 0, gateway);

        Ended ended = await _program.RunInShellAsync($"PROXYGATEWAY_ADMIN_KEY={key} \"$@\"", "devices", "list", "--admin-url", relay.Url.ToString());

        ended.ShouldFail(1).ShouldContain("not sent");
        relay.Heard.ShouldContain("POST /admin/v1/proof");
        relay.Heard.ShouldNotContain(key);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("[::ffff:127.0.0.1]")]
    public async Task The_command_line_proves_to_the_literal_address_under_any_name_of_the_gateway(string host)
    {
        _program.Configure("http://127.0.0.1:1");
        await using RunningProgram running = _program.StartServer("proxygateway.dll");
        await running.PrintsAsync("Application started");
        var gateway = new Uri(await running.PrintsAsync("Operators are served on "));

        (await _program.RunAsync("devices", "list", "--admin-url", $"http://{host}:{gateway.Port}")).ShouldSucceed();
    }

    private string[] Https
    {
        get
        {
            string folder = Path.GetDirectoryName(_certificate.AuthorityPath)!;
            return ["--Admin:Url=https://127.0.0.1:0", $"--Kestrel:Certificates:Default:Path={folder}/redis.pem", $"--Kestrel:Certificates:Default:KeyPath={folder}/redis.key"];
        }
    }
}
