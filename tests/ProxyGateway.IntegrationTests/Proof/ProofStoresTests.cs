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
