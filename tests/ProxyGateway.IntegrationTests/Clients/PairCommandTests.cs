using System.Runtime.Versioning;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>The commands connect and pair at a route with the handshake Proof, each a process.</summary>
[SupportedOSPlatform("linux")]
public sealed class PairCommandTests : IAsyncLifetime
{
    private readonly ProgramUnderTest _program = new();
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync()
    {
        await _gate.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task Connect_sees_that_a_route_wants_a_proof()
    {
        string url = _gate.Address.ToString().Replace("http", "ws", StringComparison.Ordinal) + "work";
        Ended refused = await _program.RunAsync("connect", url, "--json");
        refused.ExitCode.ShouldBe(1);
        JsonElement report = refused.Json;
        (report.GetProperty("code").GetString(), report.GetProperty("reason").GetString()).ShouldBe(("pairing_required", "not-paired"));
        report.TryGetProperty("role", out _).ShouldBeFalse("the route names it");
        _gate.State.Requests.ShouldBe(0);
        await _gate.ApproveAsync(RequestId.Parse(report.GetProperty("requestId").GetString()!));

        Ended admitted = (await _program.RunAsync("connect", url)).ShouldSucceed();

        admitted.Output.ShouldContain("admitted");
        _gate.Heard.Single()["X-Device-Role"].ToString().ShouldBe("client");
        (await _program.RunAsync("connect", url, "--role", "operator", "--json")).Json.GetProperty("reason").GetString().ShouldBe("role-upgrade");
    }

    [Theory]
    [InlineData("Device-Proof")]
    [InlineData("DPoP")]
    public async Task Pair_shows_who_asks_and_waits_until_an_operator_has_approved(string header)
    {
        await using ProofSetting gate = await ProofSetting.StartAsync(metadata: new() { [DeviceAuthDefaults.ProofHeaderMetadata] = header });
        await using RunningProgram pair = _program.StartServer("proxygateway.dll", "pair", gate.Address + "work", "--identity", "device.json");
        string request = await pair.PrintsAsync("request     ");
        string device = await pair.PrintsAsync("device ");
        (await pair.PrintsAsync("fingerprint")).ShouldBe(DeviceFingerprint.Of(device));
        (await pair.PrintsAsync("in words")).ShouldBe(DeviceFingerprint.WordsOf(device));
        (await pair.PrintsAsync("waiting")).ShouldContain("proxygateway requests approve " + request);

        await gate.ApproveAsync(RequestId.Parse(request));

        (await pair.PrintsAsync("paired")).ShouldContain("let in");
        (await pair.EndsAsync()).ShouldBe(0);
        File.GetUnixFileMode(Path.Combine(_program.Folder, "device.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task Pair_ends_when_an_operator_says_no()
    {
        await using RunningProgram pair = _program.StartServer("proxygateway.dll", "pair", _gate.Address + "work");
        string request = await pair.PrintsAsync("request     ");

        await _gate.RejectAsync(RequestId.Parse(request));

        (await pair.PrintsAsync("proxygateway: ")).ShouldContain("rejected");
        (await pair.EndsAsync()).ShouldBe(1);
    }

    [Theory]
    [InlineData("argument")]
    [InlineData("file")]
    [InlineData("input")]
    public async Task Pair_with_an_invitation_is_let_in_at_once(string way)
    {
        var terms = new InvitationTerms(Audience.Default, "client", ScopeSet.Of("files.read"), TimeSpan.FromMinutes(10));
        MadeInvitation made = await _gate.Services.GetRequiredService<Invitations>().MakeAsync(terms, new Operator("alice"), ScopeImplications.Default, default);
        string address = $"{_gate.Address}work#invitation={made.Secret}&role=client&scopes=files.read";
        string file = Path.Combine(_program.Folder, "invitation");

        Ended ended = (await RunAsync()).ShouldSucceed();

        ended.Output.ShouldContain("paired");
        ended.Output.ShouldNotContain("invitation=");
        _gate.Heard.Single()["X-Device-Scopes"].ToString().ShouldBe("files.read");

        async Task<Ended> RunAsync()
        {
            if (way == "argument")
                return await _program.RunAsync("pair", address);
            await File.WriteAllTextAsync(file, address + "\n");
            if (way == "input")
                return await _program.RunInShellAsync($"exec \"$@\" < {file}", "pair", "--invitation-file", "-");
            (await _program.RunAsync("pair", "--invitation-file", file)).Error.ShouldContain("chmod 600");
            File.SetUnixFileMode(file, UnixFileMode.UserRead);
            return await _program.RunAsync("pair", "--invitation-file", file);
        }
    }

    [Fact]
    public async Task Pair_says_what_is_wrong_with_an_address()
    {
        var backend = new Uri(_gate.BackendAddress, "/tea");
        (await _program.RunAsync("pair", backend.ToString())).ExitCode.ShouldBe(1);
        (await _program.RunAsync("pair", "gate.example")).ShouldFail(2);
        (await _program.RunAsync("pair")).ShouldFail(2);
        (await _program.RunAsync("pair", "https://gate.example/", "--invitation-file", "-")).ShouldFail(2);
        (await _program.RunAsync("pair", "http://gate.example/")).Error.ShouldContain("https");
    }
}
