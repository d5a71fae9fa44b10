using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

public sealed class DeviceRegistryTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly OneDeviceStore _store = new();
    private readonly DeviceRegistry _registry;
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private readonly List<DeviceRecord> _changed = [];

    public DeviceRegistryTests()
    {
        _registry = new DeviceRegistry(_store);
        _registry.Changed += (record, _) => _changed.Add(record);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Every_change_of_substance_has_a_fresh_version_and_is_announced()
    {
        var versions = new List<string>();
        PairingRequest request = await AskAsync(_claim);
        versions.Add(_store.Record!.Version);
        await _registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None);
        versions.Add(_store.Record!.Version);
        await _registry.AdmitAsync(_claim.Asking("operator", "operator.write"), Some.Loopback, Silent, None);
        versions.Add(_store.Record!.Version);
        await _registry.RejectAsync((await AskAsync(_claim.Asking("node"))).Id, Some.Operator, Some.Rules, None);
        versions.Add(_store.Record!.Version);
        await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        versions.Add(_store.Record!.Version);

        versions.ShouldBeUnique();
        _changed.Count.ShouldBe(6, "the ask for node in between counts too");
        versions.ShouldBeSubsetOf(_changed.Select(r => r.Version));
    }

    [Fact]
    public async Task A_change_without_substance_is_not_announced()
    {
        await AskAsync(_claim);
        string version = _store.Record!.Version;
        _changed.Clear();

        await AskAsync(_claim);
        _store.Writes.ShouldBe(1, "the same ask again needs no write");
        _store.Time.Advance(TimeSpan.FromMinutes(1));
        await AskAsync(_claim);

        _store.Writes.ShouldBe(2, "its expiry moved on");
        _store.Record!.Version.ShouldBe(version);
        _changed.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_covered_claim_reads_once_and_writes_nothing()
    {
        _store.Record = Some.Paired(_claim, _store.Time.GetUtcNow());

        (await _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None)).ShouldBe(new Admission.Admitted(_store.Record, Rule: null, _store.Time.GetUtcNow()));

        _store.Reads.ShouldBe(1);
        _store.Writes.ShouldBe(0);
    }

    // A thief of a session token must get nothing by it that its device did not have when it was made, not even an open request.
    [Fact]
    public async Task A_claim_by_a_version_of_the_record_is_covered_by_that_version_alone_and_asks_for_nothing()
    {
        DeviceRecord record = Some.Paired(_claim, _store.Time.GetUtcNow()) with { Version = "one" };
        DeviceClaim held = _claim with { RecordVersion = "one" };
        (DeviceRecord? Record, DeviceClaim Claim, Type Expected)[] table =
        [
            (record, held, typeof(Admission.Admitted)),
            (record with { Version = "two" }, held, typeof(Admission.Outdated)),
            (record, held.Asking("operator", "operator.write") with { RecordVersion = "one" }, typeof(Admission.Outdated)),
            (record, held.Asking("node") with { RecordVersion = "one" }, typeof(Admission.Outdated)),
            (record, held with { Audience = Audience.Parse("mail") }, typeof(Admission.Outdated)),
            (record with { Grants = record.Grants.SetItem(_claim.Key, record.Grants[_claim.Key] with { Until = _store.Time.GetUtcNow() }) }, held, typeof(Admission.Outdated)),
            (record with { Block = new Block { At = _store.Time.GetUtcNow(), By = "ops" }, Version = "two" }, held, typeof(Admission.Blocked)),
            (null, held, typeof(Admission.Outdated)),
            (null, held with { RecordVersion = "" }, typeof(Admission.Outdated)),
        ];
        foreach ((DeviceRecord? stored, DeviceClaim claim, Type expected) in table)
        {
            _store.Record = stored;
            foreach (PairingRules rules in (PairingRules[])[Some.Rules, Silent])
                (await _registry.AdmitAsync(claim, Some.Loopback, rules, None)).ShouldBeOfType(expected);
        }

        _store.Writes.ShouldBe(0);
    }

    [Fact]
    public async Task An_admission_whose_swap_fails_decides_again()
    {
        // A rule is about to pair the device, and somebody removes it at that moment.
        DeviceRecord removed = Transitions.Remove(
            Some.Paired(_claim, _store.Time.GetUtcNow()), Some.Operator, _store.Time.GetUtcNow(), Some.Lifetimes) with
        { Version = Some.Version() };
        _store.BeforeSwap = () =>
        {
            _store.BeforeSwap = null;
            _store.Record = removed;
        };

        Admission admission = await _registry.AdmitAsync(_claim, Some.Loopback, Silent, None);

        admission.ShouldBeOfType<Admission.Refused>().Reason.ShouldBe(PairingReason.NotPaired);
        _store.Record!.IsPaired.ShouldBeFalse();
    }

    [Fact]
    public async Task The_peers_user_is_looked_up_once_and_only_if_a_rule_needs_it()
    {
        int lookedUp = 0;
        ClaimOrigin origin = Some.Loopback with
        {
            LookUpPeerUser = () =>
            {
                lookedUp++;
                return PeerUser.Known(1000);
            },
        };
        var rule = new AutoApproveRule { Name = "mine", FromLoopback = true, Reasons = [PairingReason.NotPaired], Users = [1000] };
        PairingRules mine = Some.Rules with { Policy = new PairingPolicy { AutoApprove = [rule] } };
        int conflicts = 3;
        _store.BeforeSwap = () => _store.Record = conflicts-- > 0 ? Some.Paired(_claim.Asking("node"), default) with { Grants = System.Collections.Immutable.ImmutableSortedDictionary<GrantKey, Grant>.Empty, Version = Some.Version() } : _store.Record;

        (await _registry.AdmitAsync(_claim, origin, mine, None)).ShouldBeOfType<Admission.Admitted>().Rule.ShouldBe("mine");
        lookedUp.ShouldBe(1);

        (await _registry.AdmitAsync(_claim, origin, mine, None)).ShouldBeOfType<Admission.Admitted>().Rule.ShouldBeNull();
        lookedUp.ShouldBe(1);
    }

    [Fact]
    public async Task A_record_whose_every_swap_fails_is_unavailable()
    {
        _store.BeforeSwap = () => _store.Record = Some.Paired(_claim.Asking("node"), default);

        await Should.ThrowAsync<RegistryUnavailableException>(async () => await _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None));
    }

    [Fact]
    public async Task Too_many_requests_and_a_refusal_are_different_results()
    {
        _store.Answer = SwapResult.TooManyRequests;

        (await _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
    }

    [Fact]
    public async Task Only_existing_devices_and_requests_can_be_removed_or_decided()
    {
        (await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)).ShouldBeFalse();
        (await _registry.ApproveAsync(RequestId.New(default), scopes: null, Some.Operator, Some.Rules, None)).ShouldBeNull();
        await AskAsync(_claim);
        (await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue("it had an open request");
        (await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_repeated_removal_is_confirmed_again()
    {
        DeviceClaim node = _claim.Asking("node");
        PairingRequest rejected = await AskAsync(node);
        await _registry.RejectAsync(rejected.Id, Some.Operator, Some.Rules, None);
        PairingRequest partly = await AskAsync(_claim.Asking("operator", "operator.read", "operator.write"));
        await _registry.ApproveAsync(partly.Id, ScopeSet.Of("operator.read"), Some.Operator, Some.Rules, None);

        await RepeatsAsync(async () => (await _registry.RejectAsync(rejected.Id, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.AlreadyDone));
        await RepeatsAsync(async () => (await _registry.ApproveAsync(partly.Id, ScopeSet.Of("operator.read"), Some.Operator, Some.Rules, None))!.Outcome
            .ShouldBe(DecisionOutcome.AlreadyDone));
        await _registry.SetGrantAsync(_claim.Device, "operator".InDefault(), ScopeSet.Empty, Some.Operator, Some.Rules, None);
        _store.LastSwap!.IsRestriction.ShouldBeTrue("it narrows");
        _store.Time.Advance(TimeSpan.FromMilliseconds(1));
        await _registry.SetGrantAsync(_claim.Device, "operator".InDefault(), ScopeSet.Empty, Some.Operator, Some.Rules, None);
        _store.LastSwap!.IsRestriction.ShouldBeTrue("it narrowed");
        await _registry.SetGrantAsync(_claim.Device, "operator".InDefault(), scopes: null, Some.Operator, Some.Rules, None);
        await RepeatsAsync(async () => (await _registry.SetGrantAsync(_claim.Device, "operator".InDefault(), scopes: null, Some.Operator, Some.Rules, None)).ShouldBeNull());
        await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None);
        await RepeatsAsync(async () => (await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)).ShouldBeFalse());
    }

    [Fact]
    public async Task An_unconfirmed_change_is_announced()
    {
        _store.Record = Some.Paired(_claim, _store.Time.GetUtcNow());
        _store.IsUnconfirmed = true;

        (await Should.ThrowAsync<RegistryUnavailableException>(async () => await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)))
            .ChangeWasMade.ShouldBeTrue();

        _changed.ShouldHaveSingleItem().IsPaired.ShouldBeFalse();
    }

    private async Task RepeatsAsync(Func<Task> repeat)
    {
        DeviceRecord before = _store.Record!;
        int writes = _store.Writes;
        _changed.Clear();

        await repeat();

        _store.Writes.ShouldBe(writes + 1);
        _store.LastSwap!.IsRestriction.ShouldBeTrue();
        _store.Record.ShouldBe(before);
        _changed.ShouldBeEmpty();
    }

    private async Task<PairingRequest> AskAsync(DeviceClaim claim) =>
        (await _registry.AdmitAsync(claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request;
}
