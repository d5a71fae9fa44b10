using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Redis;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Proofs and nonces of gateways on a real Redis, and of one on a file that is restarted.</summary>
public sealed class ProofStoresTests : IDisposable
{
    private static readonly Dictionary<string, string> Allowed = new() { ["DeviceAuth.SessionTokens"] = "Allow" };

    private readonly ProofSigner _device = ProofSigner.WithEd25519();
    private readonly HttpClient _plain = new() { Timeout = Eventually.Patience };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-proof-");

    public void Dispose()
    {
        _device.Dispose();
        _plain.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Two_gateways_on_one_Redis_take_each_others_nonces_and_each_proof_once()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        void Store(IServiceCollection services) =>
            services.AddRedisDeviceStore(new RedisStoreOptions { Configuration = server.EndPoint, Timeout = TimeSpan.FromSeconds(10) });
        await using ProofSetting a = await ProofSetting.StartAsync(services: Store);
        await using ProofSetting b = await ProofSetting.StartAsync(services: Store);
        await a.PairAsync(_device);
        string proof = _device.Prove("GET", new Uri(a.Address, "/work"), await b.NonceAsync());
        var statuses = new ConcurrentBag<HttpStatusCode>();

        await Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) => statuses.Add(await SendAsync(i % 2 == 0 ? a : b, proof)));

        statuses.Count(s => s == HttpStatusCode.OK).ShouldBe(1);
        statuses.Count(s => s == HttpStatusCode.Unauthorized).ShouldBe(99);
        (a.State.Requests + b.State.Requests).ShouldBe(1);
        string next = _device.Prove("GET", new Uri(a.Address, "/work"), await a.NonceAsync());
        await server.KillAsync();
        (await SendAsync(b, next)).ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await SendAsync(b, proof)).ShouldBe(HttpStatusCode.ServiceUnavailable);
        (a.State.Requests + b.State.Requests).ShouldBe(1);
    }

    // Marks of used proofs are in memory there, and the keys of nonces are not.
    [Fact]
    public async Task A_restart_on_a_file_keeps_the_keys_and_brings_no_proof_back()
    {
        void Store(IServiceCollection services) => services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") });
        string used;
        string unused;
        string keys;
        await using (ProofSetting gate = await ProofSetting.StartAsync(services: Store))
        {
            await gate.PairAsync(_device);
            used = _device.Prove("GET", new Uri(gate.Address, "/work"), await gate.NonceAsync());
            unused = _device.Prove("GET", new Uri(gate.Address, "/work"), await gate.NonceAsync());
            (await SendAsync(gate, used)).ShouldBe(HttpStatusCode.OK);
            (await SendAsync(gate, used)).ShouldBe(HttpStatusCode.Unauthorized);
            keys = await VersionOfKeysAsync(gate);
        }

        await using ProofSetting restarted = await ProofSetting.StartAsync(services: Store);
        (await SendAsync(restarted, used)).ShouldBe(HttpStatusCode.Unauthorized);
        (await SendAsync(restarted, unused)).ShouldBe(HttpStatusCode.Unauthorized, "it might have been used before the restart");
        restarted.State.Requests.ShouldBe(0);
        string next = _device.Prove("GET", new Uri(restarted.Address, "/work"), await restarted.NonceAsync());
        (await SendAsync(restarted, next)).ShouldBe(HttpStatusCode.OK);
        (await SendAsync(restarted, next)).ShouldBe(HttpStatusCode.Unauthorized);
        (await VersionOfKeysAsync(restarted)).ShouldBe(keys);
    }

    [Fact]
    public async Task Two_gateways_on_one_Redis_take_each_others_session_tokens_and_a_removal_at_one_holds_at_the_other_at_once()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        void Store(IServiceCollection services) =>
            services.AddRedisDeviceStore(new RedisStoreOptions { Configuration = server.EndPoint, Timeout = TimeSpan.FromSeconds(10) });
        await using ProofSetting a = await ProofSetting.StartAsync(services: Store, metadata: Allowed);
        await using ProofSetting b = await ProofSetting.StartAsync(services: Store, metadata: Allowed);
        await a.PairAsync(_device);
        string token = await a.TokenAsync(_device);
        (await SendTokenAsync(a, token), await SendTokenAsync(b, token)).ShouldBe((HttpStatusCode.OK, HttpStatusCode.OK));

        await a.RemoveAsync(_device);
        (await SendTokenAsync(b, token)).ShouldBe(HttpStatusCode.Unauthorized);
        await b.PairAsync(_device);
        (await SendTokenAsync(a, token), await SendTokenAsync(b, token)).ShouldBe((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized));

        token = await b.TokenAsync(_device);
        (await SendTokenAsync(a, token)).ShouldBe(HttpStatusCode.OK);
        await server.KillAsync();
        (await SendTokenAsync(a, token)).ShouldBe(HttpStatusCode.ServiceUnavailable);
        (a.State.Requests, b.State.Requests).ShouldBe((2, 0), "a's first and last; b has counted anew since it paired the device");
    }

    // There the keys of nonces, and with them session tokens, end with the process.
    [Fact]
    public async Task A_session_token_is_read_from_a_file_at_each_request_and_ends_with_a_restart()
    {
        void Store(IServiceCollection services) => services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") });
        string token;
        await using (ProofSetting gate = await ProofSetting.StartAsync(services: Store, metadata: Allowed))
        {
            await gate.PairAsync(_device);
            token = await gate.TokenAsync(_device);
            (await SendTokenAsync(gate, token)).ShouldBe(HttpStatusCode.OK);
            await gate.RemoveAsync(_device);
            (await SendTokenAsync(gate, token)).ShouldBe(HttpStatusCode.Unauthorized);
            await gate.PairAsync(_device);
            (await SendTokenAsync(gate, token)).ShouldBe(HttpStatusCode.Unauthorized);
            token = await gate.TokenAsync(_device);
            (await SendTokenAsync(gate, token)).ShouldBe(HttpStatusCode.OK);
        }

        await using ProofSetting restarted = await ProofSetting.StartAsync(services: Store, metadata: Allowed);
        (await SendTokenAsync(restarted, token)).ShouldBe(HttpStatusCode.Unauthorized);
        (await SendTokenAsync(restarted, await restarted.TokenAsync(_device))).ShouldBe(HttpStatusCode.OK);
    }

    private static async Task<HttpStatusCode> SendTokenAsync(ProofSetting gate, string token)
    {
        using HttpResponseMessage answer = await gate.SendTokenAsync(token);
        return answer.StatusCode;
    }

    private static async Task<string> VersionOfKeysAsync(ProofSetting gate) =>
        (await gate.Services.GetRequiredService<ISharedDocumentStore>().ListAsync(ProofNonceKeys.Group, default)).Items.ShouldHaveSingleItem().Version;

    private async Task<HttpStatusCode> SendAsync(ProofSetting gate, string proof)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(gate.Address, "/work"));
        request.Headers.Add("Device-Proof", proof);
        using HttpResponseMessage answer = await _plain.SendAsync(request);
        return answer.StatusCode;
    }
}
