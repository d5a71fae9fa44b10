using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>A proof is used once, at whichever gateway of a registry; and nothing but an admission uses it up.</summary>
public sealed class ProofReplayTests : IAsyncLifetime, IDisposable
{
    private readonly ProofSigner _device = ProofSigner.WithEd25519();
    private readonly HttpClient _plain = new() { Timeout = Eventually.Patience };
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _device.Dispose();
        _plain.Dispose();
    }

    [Fact]
    public async Task A_proof_is_used_once()
    {
        await _gate.PairAsync(_device);
        string proof = await ProveAsync("GET");

        using HttpResponseMessage first = await SendAsync(_gate, proof);
        using HttpResponseMessage second = await SendAsync(_gate, proof);

        first.StatusCode.ShouldBe(HttpStatusCode.OK);
        JsonNode problem = await ProofSetting.ProblemOf(second, HttpStatusCode.Unauthorized, "proof_already_used");
        ((string?)problem["claim"]).ShouldBe("jti");
        second.Headers.WwwAuthenticate.ToString().ShouldBe("Device-Proof error=\"invalid_dpop_proof\"");
        second.Headers.GetValues("Device-Nonce").Single().ShouldNotBeEmpty();
        _gate.State.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task Of_a_hundred_at_two_gateways_one_is_admitted()
    {
        await _gate.PairAsync(_device);
        await using ProofSetting other = await ProofSetting.StartAsync(Wide, store: _gate.Store);
        string proof = await ProveAsync("GET");
        var statuses = new ConcurrentBag<HttpStatusCode>();

        await Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
        {
            using HttpResponseMessage answer = await SendAsync(i % 2 == 0 ? _gate : other, proof);
            statuses.Add(answer.StatusCode);
        });

        statuses.Count(s => s == HttpStatusCode.OK).ShouldBe(1);
        statuses.ShouldAllBe(s => s == HttpStatusCode.OK || s == HttpStatusCode.Unauthorized);
        (_gate.State.Requests + other.State.Requests).ShouldBe(1);
    }

    // An attacker who sees a proof could else make its device's own request fail.
    [Fact]
    public async Task A_proof_that_was_refused_is_not_used_up()
    {
        await _gate.PairAsync(_device);
        string nonce = await _gate.NonceAsync();
        var one = new ProofOptions { Id = "one" };

        using HttpResponseMessage otherMethod = await SendAsync(_gate, _device.Prove("PUT", Url, nonce, one));
        using HttpResponseMessage otherKey = await SendAsync(_gate, _device.Prove("GET", Url, nonce, one)[..^4] + "AAAA");
        using HttpResponseMessage own = await SendAsync(_gate, _device.Prove("GET", Url, nonce, one));
        using HttpResponseMessage again = await SendAsync(_gate, _device.Prove("GET", Url, nonce, one with { Scopes = ScopeSet.Empty }));

        (otherMethod.StatusCode, otherKey.StatusCode, own.StatusCode).ShouldBe((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.OK));
        await ProofSetting.ProblemOf(again, HttpStatusCode.Unauthorized, "proof_already_used");
    }

    [Fact]
    public async Task Another_device_may_choose_the_same_id()
    {
        using ProofSigner second = ProofSigner.WithP256();
        await _gate.PairAsync(_device);
        await _gate.PairAsync(second);
        string nonce = await _gate.NonceAsync();

        foreach (ProofSigner device in (ProofSigner[])[_device, second])
        {
            using HttpResponseMessage answer = await SendAsync(_gate, device.Prove("GET", Url, nonce, new ProofOptions { Id = "one" }));
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }

    // From each signature of a P-256 key anybody makes another that is valid: r and n - s.
    [Fact]
    public async Task A_proof_with_the_other_signature_of_its_key_is_the_same_proof()
    {
        using ProofSigner device = ProofSigner.WithP256();
        await _gate.PairAsync(device);
        string proof = device.Prove("GET", Url, await _gate.NonceAsync());

        using HttpResponseMessage first = await SendAsync(_gate, proof);
        using HttpResponseMessage second = await SendAsync(_gate, SignatureOf.Other(proof));

        first.StatusCode.ShouldBe(HttpStatusCode.OK);
        await ProofSetting.ProblemOf(second, HttpStatusCode.Unauthorized, "proof_already_used");
    }

    [Fact]
    public async Task A_proof_whose_path_is_spelled_otherwise_is_the_same_proof()
    {
        await _gate.PairAsync(_device);
        string proof = _device.Prove("GET", new Uri(_gate.Address, "/work/~anna"), await _gate.NonceAsync());

        string[] answers = [await AtAsync("/work/%7Eanna", proof), await AtAsync("/work/%7eanna", proof), await AtAsync("/work/~anna", proof), await AtAsync("/work/~anna?x=1", proof)];

        answers.Select(a => a[..12]).ShouldBe(["HTTP/1.1 200", "HTTP/1.1 401", "HTTP/1.1 401", "HTTP/1.1 401"]);
        _gate.State.Requests.ShouldBe(1);
    }

    // An attacker who reads a log of requests could else be the device once, within two minutes.
    [Fact]
    public async Task The_proof_that_asked_does_not_admit_once_the_request_is_approved()
    {
        string proof = await ProveAsync("GET");
        using HttpResponseMessage asked = await SendAsync(_gate, proof);
        JsonNode problem = await ProofSetting.ProblemOf(asked, HttpStatusCode.Forbidden, "pairing_required");
        await _gate.ApproveAsync(RequestId.Parse((string)problem["requestId"]!));

        using HttpResponseMessage again = await SendAsync(_gate, proof);

        await ProofSetting.ProblemOf(again, HttpStatusCode.Unauthorized, "proof_already_used");
        _gate.State.Requests.ShouldBe(0);
    }

    // What a rule approves has no record to be marked beside.
    [Fact]
    public async Task A_proof_that_a_rule_approves_is_used_up_by_it()
    {
        await using ProofSetting ruled = await ProofSetting.StartAsync(options => Wide(options) with { Policy = new PairingPolicy() });
        string proof = _device.Prove("GET", new Uri(ruled.Address, "/work"), await ruled.NonceAsync());

        using HttpResponseMessage first = await SendAsync(ruled, proof);
        using HttpResponseMessage second = await SendAsync(ruled, proof);

        first.StatusCode.ShouldBe(HttpStatusCode.OK);
        await ProofSetting.ProblemOf(second, HttpStatusCode.Unauthorized, "proof_already_used");
    }

    // The mark lasts until the nonce is refused, by each gateway's clock.
    [Fact]
    public async Task A_proof_is_never_good_again_until_its_nonce_is_too_old_everywhere()
    {
        await _gate.DisposeAsync();
        var fast = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var slow = new FakeTimeProvider(DateTimeOffset.UtcNow - TimeSpan.FromMinutes(1));
        var store = new InMemoryDeviceStore(fast);
        _gate = await ProofSetting.StartAsync(Wide, time: fast, store: store);
        await using ProofSetting behind = await ProofSetting.StartAsync(Wide, time: slow, store: store);
        await _gate.PairAsync(_device);
        string proof = await ProveAsync("GET");
        using HttpResponseMessage first = await SendAsync(_gate, proof);
        first.StatusCode.ShouldBe(HttpStatusCode.OK);

        for (int i = 0; i < 30; i++)
        {
            fast.Advance(TimeSpan.FromSeconds(10));
            slow.Advance(TimeSpan.FromSeconds(10));
            using HttpResponseMessage here = await SendAsync(_gate, proof);
            using HttpResponseMessage there = await SendAsync(behind, proof);
            (here.StatusCode, there.StatusCode).ShouldBe((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), $"after {(i + 1) * 10} s");
        }
    }

    private Uri Url => new(_gate.Address, "/work");

    private static ProxyGateway.DeviceAuth.DeviceAuthOptions Wide(ProxyGateway.DeviceAuth.DeviceAuthOptions options) =>
        options with { Limits = options.Limits with { HandshakesPerAddress = 1000, HandshakesPerDestination = 1000 } };

    private async Task<string> ProveAsync(string method) => _device.Prove(method, Url, await _gate.NonceAsync());

    // HttpClient would spell the path its own way.
    private async Task<string> AtAsync(string target, string proof)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_gate.Address.Host, _gate.Address.Port);
        NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: {_gate.Address.Authority}\r\nDevice-Proof: {proof}\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadLineAsync().WaitAsync(Eventually.Patience) ?? "";
    }

    private async Task<HttpResponseMessage> SendAsync(ProofSetting gate, string proof)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(gate.Address, "/work"));
        request.Headers.Add("Device-Proof", proof);
        return await _plain.SendAsync(request);
    }
}
