using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>A registry that has lost a restriction of a device is not believed, whether an operator or a rule had made it.</summary>
public sealed class RestrictionMemoryTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly OneDeviceStore _store = new();
    private readonly DeviceRegistry _gateway;
    private readonly DeviceRegistry _elsewhere;
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read", "operator.write");

    public RestrictionMemoryTests() => (_gateway, _elsewhere) = (new DeviceRegistry(_store), new DeviceRegistry(_store));

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_removal_holds_when_the_earlier_document_comes_back(bool isMadeHere)
    {
        await ShouldBeAdmittedAsync();
        DeviceRecord before = _store.Record!;
        await (isMadeHere ? _gateway : _elsewhere).RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        if (!isMadeHere)
            await ShouldBeRefusedAsync(); // and so it is known here

        _store.Record = before;
        await ShouldBeRefusedAsync();

        _store.Record!.Refusals!.WholeDevice.ShouldBeTrue("the removal is on record again");
        _store.Record.Grants.ShouldBeEmpty();
        (await _elsewhere.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task A_removal_holds_when_a_document_comes_back_that_was_never_seen_here()
    {
        await _elsewhere.AdmitAsync(_claim, Some.Loopback, Silent, None);
        DeviceRecord before = _store.Record!;
        await _elsewhere.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        await ShouldBeRefusedAsync();

        _store.Record = before;

        await ShouldBeRefusedAsync();
    }

    [Fact]
    public void A_record_that_was_read_long_ago_restricts_nothing()
    {
        var memory = new RestrictionMemory();
        DateTimeOffset now = DateTimeOffset.UtcNow;
        DeviceRecord first = Some.Paired(_claim, now) with { TakenAt = now };
        DeviceRecord latest = first;
        memory.Judge(_claim.Device, first, now, Some.Lifetimes, asOf: 0);
        for (int i = 0; i < 8; i++)
        {
            DeviceRecord next = Transitions.AutoApprove(latest, _claim.Asking($"role-{i}"), "office", ScopeImplications.Default, now, Some.Lifetimes) with { Version = Some.Version() };
            memory.Replaced(latest, next, now, Some.Lifetimes);
            latest = next;
        }

        memory.Judge(_claim.Device, first, now, Some.Lifetimes, memory.Restrictions).IsBehind.ShouldBeFalse();
        memory.Judge(_claim.Device, latest, now, Some.Lifetimes, memory.Restrictions).ShouldBe(new Judgement(latest), "or all that was approved meanwhile would be taken away");
    }

    [Fact]
    public async Task A_removal_holds_when_the_document_is_gone()
    {
        await ShouldBeAdmittedAsync();
        await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);

        _store.Record = null;

        await ShouldBeRefusedAsync();
    }

    [Fact]
    public async Task A_narrowing_a_block_and_a_rejection_hold_too()
    {
        foreach (DeviceChange change in new DeviceChange[]
        {
            new DeviceChange.SetGrant("operator".InDefault(), new GrantTerms(ScopeSet.Of("operator.read"))), new DeviceChange.TakeGrant("operator".InDefault()), new DeviceChange.Block(null),
        })
        {
            _store.Record = null;
            await using var fresh = new OneDeviceStore();
            var gateway = new DeviceRegistry(fresh);
            (await gateway.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
            DeviceRecord before = fresh.Record!;
            (await gateway.ChangeAsync(_claim.Device, change, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);

            fresh.Record = before;

            (await gateway.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldNotBeOfType<Admission.Admitted>(change.ToString());
        }

        PairingRequest request = (await _gateway.AdmitAsync(_claim, Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request;
        DeviceRecord asked = _store.Record!;
        await _gateway.RejectAsync(request.Id, Some.Operator, Some.Rules, None);
        _store.Record = asked;
        await ShouldBeRefusedAsync();
    }

    [Fact]
    public async Task An_operators_change_of_a_document_that_came_back_does_not_bring_back_what_was_taken()
    {
        await ShouldBeAdmittedAsync();
        DeviceRecord before = _store.Record!;
        await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        _store.Record = before;

        await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None); // there is nothing to remove, as this gateway knows it

        _store.Record!.Grants.ShouldBeEmpty();
        await ShouldBeRefusedAsync();
    }

    [Fact]
    public async Task An_operators_later_approval_counts_at_every_gateway()
    {
        await ShouldBeAdmittedAsync();
        DeviceRecord before = _store.Record!;
        await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        _store.Record = before;
        RequestId again = (await ShouldBeRefusedAsync()).Request.Id;

        (await _elsewhere.ApproveAsync(again, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);

        await ShouldBeAdmittedAsync();
        _store.Record = before;
        await ShouldBeRefusedAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_block_and_a_narrowing_hold_after_any_number_of_requests(bool isBlock)
    {
        await ShouldBeAdmittedAsync();
        var before = new List<DeviceRecord> { _store.Record! };
        for (int i = 0; i < 20; i++)
        {
            await AskAsync($"before{i}");
            before.Add(_store.Record!);
        }

        DeviceChange change = isBlock ? new DeviceChange.Block(null) : new DeviceChange.SetGrant("operator".InDefault(), new GrantTerms(ScopeSet.Of("operator.read")));
        (await _gateway.ChangeAsync(_claim.Device, change, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        for (int i = 0; i < 20; i++)
        {
            await _gateway.ChangeAsync(_claim.Device, new DeviceChange.SetLabel($"label {i}"), Some.Operator, Some.Rules, None);
            if (!isBlock)
                await AskAsync($"after{i}");
        }

        foreach (DeviceRecord record in before)
        {
            _store.Record = record;
            (await _gateway.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldNotBeOfType<Admission.Admitted>();
        }
    }

    [Fact]
    public async Task A_document_that_an_older_gateway_wrote_without_takenAt_counts()
    {
        await ShouldBeAdmittedAsync();
        await _gateway.ChangeAsync(_claim.Device, new DeviceChange.Block(null), Some.Operator, Some.Rules, None);
        DateTimeOffset taken = _store.Record!.TakenAt!.Value;

        _store.Record = _store.Record with { Block = null, TakenAt = null, Version = "of an older gateway" };
        await ShouldBeAdmittedAsync();

        _store.Time.Advance(TimeSpan.FromSeconds(1));
        await _elsewhere.ChangeAsync(_claim.Device, new DeviceChange.SetLabel("x"), Some.Operator, Some.Rules, None);
        _store.Record.TakenAt!.Value.ShouldBeGreaterThan(taken);
        await ShouldBeAdmittedAsync();
    }

    [Fact]
    public async Task TakenAt_rises_with_each_restriction_alone_even_if_the_clock_goes_back()
    {
        await ShouldBeAdmittedAsync();
        DateTimeOffset paired = _store.Record!.TakenAt!.Value;
        await AskAsync("node");
        _store.Record.TakenAt.ShouldBe(paired);

        await _gateway.ChangeAsync(_claim.Device, new DeviceChange.Block(null), Some.Operator, Some.Rules, None);
        DateTimeOffset blocked = _store.Record.TakenAt!.Value;
        blocked.ShouldBeGreaterThan(paired, "though the clock has stood still");
        await _gateway.ChangeAsync(_claim.Device, new DeviceChange.Unblock(), Some.Operator, Some.Rules, None);
        _store.Record.TakenAt.ShouldBe(blocked);
        await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        _store.Record.TakenAt!.Value.ShouldBeGreaterThan(blocked);
    }

    [Fact]
    public async Task A_reading_that_a_narrowing_overtakes_is_repeated_and_is_no_lost_restriction()
    {
        await ShouldBeAdmittedAsync();
        await SetNodeAsync("a", "b");
        OvertakeNextReading(() => SetNodeAsync("a"));
        DeviceRecord read = (await _gateway.ReadAsync(_claim.Device, Silent, None)).Record!;
        Silent.Policy.Admits(read, _claim).ShouldBeTrue("nothing of role operator was taken");
        read.ScopesOf("node").ShouldBe(ScopeSet.Of("a"));

        OvertakeNextReading(() => SetNodeAsync());
        await ShouldBeAdmittedAsync();
        OvertakeNextReading(async () => await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None));
        await ShouldBeRefusedAsync();
    }

    [Fact]
    public async Task A_lost_change_that_restricts_nothing_is_accepted()
    {
        await ShouldBeAdmittedAsync();
        DeviceRecord before = _store.Record!;
        await _gateway.AdmitAsync(_claim.Asking("node"), Some.Loopback, Silent, None); // asks for a role

        _store.Record = before;

        await ShouldBeAdmittedAsync();
        _store.Record.ShouldBe(before);
    }

    [Fact]
    public async Task After_a_day_a_restriction_is_forgotten()
    {
        await ShouldBeAdmittedAsync();
        DeviceRecord before = _store.Record!;
        await _gateway.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);

        _store.Record = before;
        _store.Time.Advance(RestrictionMemory.KeptFor + TimeSpan.FromSeconds(1));

        await ShouldBeAdmittedAsync();
    }

    [Fact]
    public void Strangers_are_not_remembered_and_no_device_pushes_out_a_removal()
    {
        var memory = new RestrictionMemory();
        DateTimeOffset now = DateTimeOffset.UnixEpoch;
        DeviceRecord removed = Removed(_claim, now);
        memory.Judge(_claim.Device, removed, now, Some.Lifetimes, memory.Restrictions);
        for (int i = 0; i < 1000; i++)
        {
            DeviceClaim stranger = Some.Claim();
            memory.Judge(stranger.Device, null, now, Some.Lifetimes, memory.Restrictions);
            memory.Replaced(null, Some.Paired(stranger, now) with { Grants = removed.Grants }, now, Some.Lifetimes);
        }

        memory.Count.ShouldBe(1);
        for (int i = 0; i < RestrictionMemory.MostDevices + 100; i++)
        {
            DeviceClaim paired = Some.Claim();
            memory.Judge(paired.Device, Some.Paired(paired, now), now, Some.Lifetimes, memory.Restrictions);
        }

        memory.Count.ShouldBeLessThanOrEqualTo(RestrictionMemory.MostDevices + 1);
        memory.Bytes.ShouldBeLessThanOrEqualTo(2 * RestrictionMemory.MostBytes);
        memory.Judge(_claim.Device, Some.Paired(_claim, now), now, Some.Lifetimes, memory.Restrictions).IsBehind.ShouldBeTrue();
    }

    private static DeviceRecord Removed(DeviceClaim claim, DateTimeOffset now) => Transitions.Remove(Some.Paired(claim, now), Some.Operator, now, Some.Lifetimes);

    private void OvertakeNextReading(Func<Task> change) => _store.AfterRead = async () =>
    {
        _store.AfterRead = null;
        await change();
    };

    private async Task SetNodeAsync(params string[] scopes) =>
        await _gateway.ChangeAsync(_claim.Device, new DeviceChange.SetGrant("node".InDefault(), new GrantTerms(ScopeSet.Of(scopes))), Some.Operator, Some.Rules, None);

    // Requests expire, so that there is always room for another.
    private async Task AskAsync(string role)
    {
        _store.Time.Advance(Some.Lifetimes.Request);
        (await _gateway.AdmitAsync(_claim.Asking(role), Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    private async Task ShouldBeAdmittedAsync() =>
        (await _gateway.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();

    private async Task<Admission.Refused> ShouldBeRefusedAsync() =>
        (await _gateway.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
}
