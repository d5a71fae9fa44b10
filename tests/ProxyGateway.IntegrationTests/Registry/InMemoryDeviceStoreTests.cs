using System.Text;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry;

public sealed class InMemoryDeviceStoreTests : OwnStoreContract
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));

    private InMemoryDeviceStore Memory => (InMemoryDeviceStore)Store;

    protected override bool CopiesAllOrNothing => true;

    [Fact]
    public async Task Changes_of_substance_are_announced_and_signs_of_life_come_each_second()
    {
        using var patience = new CancellationTokenSource(Eventually.Patience);
        await using IAsyncEnumerator<Announcement> heard = Store.ListenAsync(patience.Token).GetAsyncEnumerator();
        await heard.MoveNextAsync();
        heard.Current.ShouldBeOfType<Announcement.Resumed>();
        Task<bool> next = heard.MoveNextAsync().AsTask();
        DeviceRecord record = Some.Paired(Some.Claim(), _time.GetUtcNow());

        await PutAsync(previous: null, record);
        await next;
        heard.Current.ShouldBe(new Announcement.Changed(record.Id, record.Version));
        await PutAsync(record, record with { Label = "its version is the same" });
        next = heard.MoveNextAsync().AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));
        await next;
        heard.Current.ShouldBeOfType<Announcement.Alive>();
    }

    [Fact]
    public async Task A_listener_that_is_too_slow_hears_of_a_gap()
    {
        using var patience = new CancellationTokenSource(Eventually.Patience);
        await using IAsyncEnumerator<Announcement> heard = Store.ListenAsync(patience.Token).GetAsyncEnumerator();
        await heard.MoveNextAsync();
        for (int i = 0; i < 1030; i++)
            await PutAsync(previous: null, Some.Paired(Some.Claim(), _time.GetUtcNow()));

        await heard.MoveNextAsync();
        heard.Current.ShouldBeOfType<Announcement.Resumed>();
        for (int i = 0; i < 1024; i++)
        {
            await heard.MoveNextAsync();
            heard.Current.ShouldBeOfType<Announcement.Changed>();
        }
    }

    [Fact]
    public async Task A_decision_does_not_undo_that_the_device_was_seen_meanwhile()
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        DeviceRecord read = (await Store.GetAsync(claim.Device, default)).Record!;
        await SeeAsync(claim, _time.GetUtcNow());

        await PutAsync(read, read with { Version = Some.Version() });

        (await Store.GetAsync(claim.Device, default)).Record!.LastSeenAt.ShouldBe(_time.GetUtcNow());
    }

    [Fact]
    public async Task A_store_that_is_away_or_closed_is_an_unavailable_registry()
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        Memory.IsAvailable = false;
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.GetAsync(claim.Device, default));
        await Should.ThrowAsync<RegistryUnavailableException>(() => PutAsync(previous: null, Some.Paired(Some.Claim(), _time.GetUtcNow())));
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.PingAsync(default));

        Memory.IsAvailable = true;
        (await Store.GetAsync(claim.Device, default)).Record!.IsPaired.ShouldBeTrue();
        await Store.DisposeAsync();
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.GetAsync(claim.Device, default));
    }

    protected override Task<IDeviceStore> OpenAsync() => Task.FromResult<IDeviceStore>(new InMemoryDeviceStore(_time, LoggerOf<InMemoryDeviceStore>()));

    protected override Task PassAsync(DateTimeOffset time)
    {
        if (time > _time.GetUtcNow())
            _time.SetUtcNow(time);
        return Task.CompletedTask;
    }

    protected override Task LeavesNothingAsync(DeviceClaim claim, PairingRequest request)
    {
        Memory.DocumentOf(claim.Device).ShouldBeNull();
        Memory.Counts.ShouldBe((1, 1), "those of the device that has asked since");
        return Task.CompletedTask;
    }

    protected override Task<Func<Task>> DamageAsync(DeviceId id, DocumentDamage damage)
    {
        byte[] document = Memory.DocumentOf(id)!;
        Memory.Overwrite(id, Damaged(Encoding.UTF8.GetString(document), damage) is { } damaged ? Encoding.UTF8.GetBytes(damaged) : []);
        return Task.FromResult(() =>
        {
            Memory.Overwrite(id, document);
            return Task.CompletedTask;
        });
    }
}
