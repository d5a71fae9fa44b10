using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

public abstract partial class DeviceStoreContract
{
    private readonly List<IDeviceStore> _others = [];

    private ICopyableDeviceStore Copyable => (ICopyableDeviceStore)Store;

    /// <summary>Whether a failed copy into the store leaves nothing, rather than a part.</summary>
    protected virtual bool CopiesAllOrNothing => false;

    /// <summary>Whether the store is an <see cref="ICopyableDeviceStore"/>. False: tests about copies are skipped.</summary>
    protected virtual bool IsCopyable => true;

    /// <summary>Opens another, empty store to copy from and to: one in memory. The contract disposes of it.</summary>
    /// <param name="time">The other store's time.</param>
    protected virtual Task<ICopyableDeviceStore> OpenOtherAsync(TimeProvider time) =>
        Task.FromResult<ICopyableDeviceStore>(new InMemoryDeviceStore(time));

    [Fact]
    public async Task A_registry_that_is_copied_here_and_back_is_the_same()
    {
        if (!IsCopyable)
            return;
        ICopyableDeviceStore first = await OpenOtherAsync();
        ICopyableDeviceStore second = await OpenOtherAsync();
        Inhabitants all = await InhabitAsync(first);

        RegistryCopyReport copied = await new RegistryCopy(first, Copyable).RunAsync(None);
        RegistryCopyReport back = await new RegistryCopy(Copyable, second).RunAsync(None);

        copied.ShouldBe(new RegistryCopyReport { Devices = 5, Paired = 2, Refused = 2, Requests = 2 });
        back.ShouldBe(copied);
        List<StoredDocument> before = await DocumentsAsync(first);
        foreach (List<StoredDocument> after in new[] { await DocumentsAsync(Copyable), await DocumentsAsync(second) })
        {
            after.Select(d => DeviceDocument.Serialize(d.Record)).ShouldBe(before.Select(d => DeviceDocument.Serialize(d.Record)));
            after.Select(d => d.Record.LastSeenAt).ShouldBe(before.Select(d => d.Record.LastSeenAt));
            foreach ((StoredDocument then, StoredDocument now) in before.Zip(after))
            {
                now.ExpiresAt.HasValue.ShouldBe(then.ExpiresAt.HasValue);
                if (then.ExpiresAt is { } until)
                    now.ExpiresAt!.Value.ShouldBe(until, TimeSpan.FromMilliseconds(5));
            }
        }

        await ShouldLiveOnAsync(all);
    }

    [Fact]
    public async Task An_interrupted_copy_has_every_refusal_and_may_be_repeated()
    {
        if (!IsCopyable)
            return;
        const int Count = 1500;
        ICopyableDeviceStore source = await OpenOtherAsync();
        DateTimeOffset now = await NowAsync();
        DeviceRecord[] records = [.. Enumerable.Range(0, Count).Select(_ => Some.Paired(Some.Claim(), now))];
        for (int i = 0; i < Count; i += 10)
            records[i] = Transitions.Remove(records[i], Some.Operator, now, Some.Lifetimes) with { Version = Some.Version() };
        await source.WriteAllAsync(records.Select(r => new StoredDocument(r, Transitions.ExpiresAt(r, Some.Lifetimes))).ToAsyncEnumerable(), None);

        await Should.ThrowAsync<RegistryUnavailableException>(() => new RegistryCopy(new BreakingStore(source, after: Count - 1), Copyable).RunAsync(None));

        HashSet<DeviceId> part = [.. (await DocumentsAsync(Copyable)).Select(d => d.Record.Id)];
        if (CopiesAllOrNothing)
            part.ShouldBeEmpty();
        else
            part.Count.ShouldBeInRange(Count / 2, Count - 1);
        if (!CopiesAllOrNothing)
            records.Where(r => r.Refusals is not null).ShouldAllBe(r => part.Contains(r.Id));

        for (int i = 0; i < 2; i++)
        {
            (await new RegistryCopy(source, Copyable).RunAsync(None)).Devices.ShouldBe(Count);
            (await DocumentsAsync(Copyable)).Select(d => d.Record.Version).ShouldBe((await DocumentsAsync(source)).Select(d => d.Record.Version));
        }
    }

    [Fact]
    public async Task A_copy_into_a_registry_with_other_devices_is_refused()
    {
        if (!IsCopyable)
            return;
        ICopyableDeviceStore source = await OpenOtherAsync();
        DeviceClaim stranger = Some.Claim();
        await PairAsync(stranger);
        await InhabitAsync(source);
        List<StoredDocument> before = await DocumentsAsync(Copyable);

        RegistryCopyReport report = await new RegistryCopy(source, Copyable).RunAsync(None);

        report.ShouldBe(new RegistryCopyReport { Obstacle = stranger.Device });
        (await DocumentsAsync(Copyable)).Select(d => DeviceDocument.Serialize(d.Record)).ShouldBe(before.Select(d => DeviceDocument.Serialize(d.Record)));
    }

    [Fact]
    public async Task A_copy_replaces_no_device_that_has_changed_since()
    {
        if (!IsCopyable)
            return;
        ICopyableDeviceStore source = await OpenOtherAsync();
        Inhabitants all = await InhabitAsync(source);
        await new RegistryCopy(source, Copyable).RunAsync(None);
        await Registry.RemoveAsync(all.Paired.Device, Some.Operator, Some.Rules, None);

        (await new RegistryCopy(source, Copyable).RunAsync(None)).Obstacle.ShouldBe(all.Paired.Device);

        (await Store.GetAsync(all.Paired.Device, None)).Record!.IsPaired.ShouldBeFalse();
    }

    [Fact]
    public async Task A_damaged_document_stops_a_copy_and_is_named()
    {
        if (!IsCopyable || !CanBeDamaged)
            return;
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        await DamageAsync(claim.Device, DocumentDamage.NotJson);
        ICopyableDeviceStore target = await OpenOtherAsync();

        (await Should.ThrowAsync<RegistryUnavailableException>(() => new RegistryCopy(Copyable, target).RunAsync(None)))
            .Message.ShouldContain(claim.Device.ToString());
    }

    /// <summary>One device of each kind.</summary>
    private static async Task<Inhabitants> InhabitAsync(IDeviceStore store)
    {
        DateTimeOffset now = (await store.GetAsync(Some.Claim().Device, None)).Now;
        var registry = new DeviceRegistry(store);
        var all = new Inhabitants(Paired: Some.Claim("operator", "operator.read"), Removed: Some.Claim(), Asking: Some.Claim(), Rejected: Some.Claim(), Legacy: Some.Claim());
        DeviceRecord legacy = Some.Paired(all.Legacy, now) with { Legacy = true, LastSeenAt = now };
        await store.SwapAsync(new DeviceSwap(Previous: null, legacy, ExpiresAt: null, PendingLimits.None), None);
        foreach (DeviceClaim claim in new[] { all.Paired, all.Removed })
            (await registry.ApproveAsync(await AskAsync(claim), scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await registry.RemoveAsync(all.Removed.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
        (await registry.RejectAsync(await AskAsync(all.Rejected), Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        await AskAsync(all.Asking);
        await AskAsync(all.Paired.Asking("node"));
        return all;

        async Task<RequestId> AskAsync(DeviceClaim claim) =>
            (await registry.AdmitAsync(claim, Some.Origin with { Address = "192.0.2.1" }, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;
    }

    private static async Task<List<StoredDocument>> DocumentsAsync(ICopyableDeviceStore store) =>
        await store.ReadAllAsync(None).OrderBy(d => d.Record.Id.ToString()).ToListAsync();

    /// <summary>Copied devices behave as if they had always been here.</summary>
    private async Task ShouldLiveOnAsync(Inhabitants all)
    {
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await Registry.AdmitAsync(all.Paired, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await Registry.AdmitAsync(all.Removed, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Refused>("no rule pairs it again");
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.Select(d => d.Id).ShouldBe([all.Paired.Device, all.Legacy.Device], ignoreOrder: true);

        PairingRequest rejected = (await Store.GetAsync(all.Rejected.Device, None)).Record!.Requests.ShouldHaveSingleItem();
        (await Registry.FindRequestAsync(rejected.Id, None))!.Status.ShouldBe(PairingRequestStatus.Rejected);
        PairingRequest open = (await Store.GetAsync(all.Asking.Device, None)).Record!.Requests.ShouldHaveSingleItem();
        (await ListOpenAsync(pageSize: 10)).ShouldContain(open.Id);
        PairingRules full = Some.Rules with { Limits = new PendingLimits(InAll: int.MaxValue, PerAddress: 2) };
        (await Registry.AdmitAsync(Some.Claim(), Some.Origin with { Address = "192.0.2.1" }, full, None)).ShouldBeOfType<Admission.TooManyRequests>();
        PairingRules fullOfNeighbours = Some.Rules with { Limits = PendingLimits.None with { PerSubnet = 2 } };
        (await Registry.AdmitAsync(Some.Claim(), Some.Origin with { Address = "192.0.2.2" }, fullOfNeighbours, None)).ShouldBeOfType<Admission.TooManyRequests>();
        (await Registry.ApproveAsync(open.Id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await Registry.AdmitAsync(all.Asking, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
    }

    // With the time of the store under test.
    private async Task<ICopyableDeviceStore> OpenOtherAsync()
    {
        ICopyableDeviceStore other = await OpenOtherAsync(new StoppedClock(await NowAsync()));
        _others.Add(other);
        return other;
    }

    private sealed record Inhabitants(DeviceClaim Paired, DeviceClaim Removed, DeviceClaim Asking, DeviceClaim Rejected, DeviceClaim Legacy);

    /// <summary>A clock that stands still.</summary>
    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    /// <summary>A store that becomes unavailable while it is read.</summary>
    private sealed class BreakingStore(ICopyableDeviceStore inner, int after) : DelegatingStore(inner), ICopyableDeviceStore
    {
        private int _readings;

        public async IAsyncEnumerable<StoredDocument> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            int left = ++_readings == 1 ? int.MaxValue : after; // the first reading looks for refusals
            await foreach (StoredDocument document in inner.ReadAllAsync(cancellationToken))
            {
                if (left-- == 0)
                    throw new RegistryUnavailableException("It is gone.");
                yield return document;
            }
        }

        public Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken) =>
            inner.WriteAllAsync(documents, cancellationToken);
    }
}
