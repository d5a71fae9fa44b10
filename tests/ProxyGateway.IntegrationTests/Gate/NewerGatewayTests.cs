using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A newer gateway on the same Redis writes what this version does not understand: this one admits nobody by it.</summary>
public sealed class NewerGatewayTests : IAsyncLifetime
{
    private const string Prefix = "pg:";
    private readonly TestDevice _device = new();
    private RedisServer _redis = null!;
    private RedisDeviceStore _newer = null!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _newer = Open(_redis);
    }

    public async Task DisposeAsync()
    {
        await _newer.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_document_of_a_newer_format_ends_its_devices_sessions_and_no_others()
    {
        await using TestGateway gateway = await StartAsync();
        Outcome session = await AdmitAsync(gateway, _device);
        Outcome other = await AdmitAsync(gateway, new TestDevice());

        DeviceRecord raised = await WriteAsync(record => record.InFormat(DeviceDocument.Format + 1));

        Frame close = await session.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1013, "registry unavailable"));
        (await TestClient.ConnectAsync(gateway.Port, _device)).Close!.CloseCode.ShouldBe(1013);
        await other.Client.SendTextAsync("are you there?");
        (await other.Client.ReceiveAsync())!.Text.ShouldBe("are you there?");
        gateway.Log.Of(1515).ShouldHaveSingleItem();
        (await _newer.SwapAsync(new DeviceSwap(raised, raised with { Unknown = null, Version = Some.Version() }, ExpiresAt: null, PendingLimits.None), default))
            .ShouldBe(SwapResult.Swapped);
        await AdmitAsync(gateway, _device);
    }

    [Fact]
    public async Task An_announcement_with_more_members_is_used_and_an_unknown_one_compares_all_versions()
    {
        await using TestGateway gateway = await StartAsync();
        Outcome session = await AdmitAsync(gateway, _device);
        await WriteUnheardAsync(record => record with { Block = new Block { At = record.CreatedAt, By = "ops" } });
        await using ConnectionMultiplexer behind = await _redis.ConnectAsync();

        await behind.GetSubscriber().PublishAsync(RedisChannel.Literal(Prefix + "changes"), $"{_device.Id} {Some.Version()} audience=agent-2");

        (await session.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device blocked");
        await WriteUnheardAsync(record => record with { Block = null });
        session = await AdmitAsync(gateway, _device);
        await WriteUnheardAsync(record => record with { Block = new Block { At = record.CreatedAt, By = "ops" } });

        await behind.GetSubscriber().PublishAsync(RedisChannel.Literal(Prefix + "changes"), "rule-changed office");

        (await session.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device blocked");
    }

    [Fact]
    public async Task A_registry_of_a_newer_format_admits_nobody_until_it_is_lowered()
    {
        await using TestGateway gateway = await StartAsync();
        await AdmitAsync(gateway, _device);
        await using ConnectionMultiplexer behind = await _redis.ConnectAsync();

        await behind.GetDatabase().StringSetAsync(Prefix + "format", 2);

        RegistryUnavailableException? refusal = null;
        await Eventually.HoldsAsync(async () => (refusal = await RefusalAsync(gateway.Store)) is not null, "the registry is not used any more");
        (refusal!.Fault, refusal.Message).ShouldBe(
            (RegistryFault.NewerFormat, "The registry has a format that this gateway does not know (pg:format is more than 1). Upgrade this gateway."));
        (await TestClient.ConnectAsync(gateway.Port, _device)).Close!.CloseCode.ShouldBe(1013, "nobody is admitted any more");
        await using (TestGateway second = await TestGateway.StartAsync(services: Redis))
            (await TestClient.ConnectAsync(second.Port, _device)).Close!.CloseCode.ShouldBe(1013, "not even at its start");
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await gateway.Registry.ListDevicesAsync(cursor: null, 1, default));
        await Should.ThrowAsync<RegistryUnavailableException>(
            async () => await gateway.Registry.RemoveAsync(_device.Id, Some.Operator, Some.Rules, default));

        await behind.GetDatabase().KeyDeleteAsync(Prefix + "format");
        await Eventually.HoldsAsync(async () => (await TestClient.ConnectAsync(gateway.Port, _device)).IsAdmitted, "it is admitted again");
    }

    private static async Task<RegistryUnavailableException?> RefusalAsync(IDeviceStore store)
    {
        try
        {
            await store.PingAsync(default);
            return null;
        }
        catch (RegistryUnavailableException e)
        {
            return e;
        }
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("2", false)]
    [InlineData("0", false)]
    [InlineData("", false)]
    [InlineData("next", false)]
    public async Task The_format_of_a_registry_is_a_number_that_is_known(string format, bool isKnown)
    {
        await using ConnectionMultiplexer behind = await _redis.ConnectAsync();
        await behind.GetDatabase().StringSetAsync(Prefix + "format", format);

        Task asking = _newer.GetAsync(_device.Id, default).AsTask();

        if (isKnown)
            await asking;
        else
            (await Should.ThrowAsync<RegistryUnavailableException>(asking)).Fault.ShouldBe(RegistryFault.NewerFormat);
    }

    private static RedisDeviceStore Open(RedisServer server) =>
        new(Options(server), NullLogger<RedisDeviceStore>.Instance);

    private void Redis(Microsoft.Extensions.DependencyInjection.IServiceCollection services) =>
        services.AddRedisDeviceStore(Options(_redis));

    // Patient, so that no device is refused because the machine is busy.
    private static RedisStoreOptions Options(RedisServer server) => new() { Configuration = server.EndPoint, KeyPrefix = Prefix, Timeout = TimeSpan.FromSeconds(10) };

    private async Task<TestGateway> StartAsync()
    {
        TestGateway gateway = await TestGateway.StartAsync(new Dictionary<string, string?> { ["Registry:SweepInterval"] = "01:00:00" }, services: Redis);
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Log.Of(10).Any()), "the gateway hears announcements");
        return gateway;
    }

    private static async Task<Outcome> AdmitAsync(TestGateway gateway, TestDevice device)
    {
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device);
        outcome.ShouldBeAdmitted();
        return outcome;
    }

    private async Task<DeviceRecord> WriteAsync(Func<DeviceRecord, DeviceRecord> change)
    {
        DeviceRecord record = (await _newer.GetAsync(_device.Id, default)).Record!;
        DeviceRecord next = change(record) with { Version = Some.Version() };
        (await _newer.SwapAsync(new DeviceSwap(record, next, ExpiresAt: null, PendingLimits.None), default)).ShouldBe(SwapResult.Swapped);
        return next;
    }

    private async Task WriteUnheardAsync(Func<DeviceRecord, DeviceRecord> change)
    {
        DeviceRecord record = (await _newer.GetAsync(_device.Id, default)).Record!;
        await _newer.WriteAllAsync(
            new[] { new StoredDocument(change(record) with { Version = Some.Version() }, ExpiresAt: null) }.ToAsyncEnumerable(), default);
    }
}
