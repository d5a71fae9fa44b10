using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

public abstract partial class DeviceStoreContract
{
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    /// <summary>Whether the store is an <see cref="IReplayStore"/>. False: tests about proofs that are used once are skipped.</summary>
    protected virtual bool RemembersUses => true;

    [Fact]
    public async Task A_proof_admits_once_at_its_device()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        DeviceClaim other = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        await PairAsync(other);

        (await UseAsync(claim, "a")).ShouldBeOfType<Admission.Admitted>();
        (await UseAsync(claim, "a")).ShouldBeOfType<Admission.UsedBefore>();
        (await UseAsync(claim, "A")).ShouldBeOfType<Admission.Admitted>("names are compared exactly");
        (await UseAsync(claim, new string('~', UseOnce.MaxLength))).ShouldBeOfType<Admission.Admitted>();
        (await UseAsync(claim, new string('~', UseOnce.MaxLength))).ShouldBeOfType<Admission.UsedBefore>();
        (await UseAsync(other, "a")).ShouldBeOfType<Admission.Admitted>("devices choose names that others may have chosen");
        (await UseAsync(claim.Asking("node"), "a")).ShouldBeOfType<Admission.UsedBefore>("it proves nothing more, whatever it asks for");
        (await Registry.AdmitAsync(claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>("a proof of another kind cannot come again");
    }

    [Fact]
    public async Task A_proof_that_comes_a_hundred_times_at_once_admits_once()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);

        Admission[] decided = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Task.Run(() => UseAsync(claim, "a"))));

        decided.Count(d => d is Admission.Admitted).ShouldBe(1);
        decided.Count(d => d is Admission.UsedBefore).ShouldBe(99);
    }

    [Fact]
    public async Task A_proof_that_a_rule_admits_a_hundred_times_at_once_admits_once()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");

        Admission[] decided = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Task.Run(() => UseAsync(claim, "a", Some.Loopback, Silent))));

        decided.OfType<Admission.Admitted>().ShouldHaveSingleItem().Rule.ShouldBe("loopback");
        decided.Count(d => d is Admission.UsedBefore).ShouldBe(99);
        (await UseAsync(claim, "b", Some.Loopback, Silent)).ShouldBeOfType<Admission.Admitted>().Rule.ShouldBeNull();
    }

    [Fact]
    public async Task A_used_proof_is_forgotten_after_its_time_by_the_stores_clock()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        DateTimeOffset before = await NowAsync();
        var once = new UseOnce("a", TimeSpan.FromMilliseconds(500));
        (await UseAsync(claim, once)).ShouldBeOfType<Admission.Admitted>();
        DateTimeOffset after = await NowAsync();

        Admission again = await UseAsync(claim, once);
        if (await NowAsync() < before + once.Period)
            again.ShouldBeOfType<Admission.UsedBefore>();
        await PassAsync(after + once.Period + TimeSpan.FromMilliseconds(10));

        (await UseAsync(claim, once)).ShouldBeOfType<Admission.Admitted>();
        (await UseAsync(claim, new UseOnce("a", UseOnce.Longest))).ShouldBeOfType<Admission.UsedBefore>("it is marked anew");
    }

    [Fact]
    public async Task A_device_of_which_nothing_is_on_record_leaves_a_mark_only_beside_the_request_that_it_opens()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        var store = (IReplayStore)Store;

        (await store.GetAsync(claim.Device, new UseOnce("a", UseOnce.Longest), None)).Mark.ShouldBe(UseMark.None);
        RequestId asked = (await UseAsync(claim, "a")).ShouldBeOfType<Admission.Refused>().Request.Id;
        (await UseAsync(claim, "a")).ShouldBeOfType<Admission.UsedBefore>("the swap that wrote the request has marked it");
        (await UseAsync(claim, "b")).ShouldBeOfType<Admission.Refused>("it asks again").Request.Id.ShouldBe(asked);
        (await UseAsync(claim, "b")).ShouldBeOfType<Admission.UsedBefore>("there is a request to mark beside");
        (await store.GetAsync(claim.Device, None)).Mark.ShouldBe(UseMark.None);
    }

    // Somebody who has seen the proof of the request could else be the device once, for as long as the nonce is good.
    [Fact]
    public async Task The_proof_that_asked_does_not_admit_once_the_request_is_approved()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        PairingRequest asked = (await UseAsync(claim, "a")).ShouldBeOfType<Admission.Refused>().Request;
        await Registry.ApproveAsync(asked.Id, scopes: null, Some.Operator, Some.Rules, None);

        (await UseAsync(claim, "a")).ShouldBeOfType<Admission.UsedBefore>();
        (await UseAsync(claim, "b")).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task A_decision_that_another_change_overtakes_does_not_take_its_own_mark_for_a_replay()
    {
        if (!RemembersUses)
            return;
        DeviceClaim asking = Some.Claim("operator", "operator.read");
        await AskAsync(asking, Some.Rules);
        DeviceClaim unknown = Some.Claim("operator", "operator.read");
        foreach (DeviceClaim claim in new[] { asking, unknown })
        {
            var overtaken = new OvertakenStore(Store, times: 3);

            Admission first = await new DeviceRegistry(overtaken).AdmitAsync(claim, Some.Loopback, Silent, new UseOnce("a", UseOnce.Longest), None);

            first.ShouldBeOfType<Admission.Admitted>().Rule.ShouldBe("loopback");
            overtaken.Times.ShouldBe(0, "each of its swaps but the last has failed");
            (await UseAsync(claim, "a", Some.Loopback, Silent)).ShouldBeOfType<Admission.UsedBefore>();
        }
    }

    [Fact]
    public async Task A_proof_stays_used_when_its_device_is_forgotten()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        (await UseAsync(claim, "a", Some.Loopback, Silent)).ShouldBeOfType<Admission.Admitted>();
        (await UseAsync(claim, "b", Some.Loopback, Silent)).ShouldBeOfType<Admission.Admitted>();
        (await new DeviceFleet(Registry, TimeProvider.System).ForgetIdleAsync(TimeSpan.Zero, Silent, None)).ShouldBe(1);

        (await UseAsync(claim, "a", Some.Loopback, Silent)).ShouldBeOfType<Admission.UsedBefore>();
        (await UseAsync(claim, "b", Some.Loopback, Silent)).ShouldBeOfType<Admission.UsedBefore>();
        (await Store.GetAsync(claim.Device, None)).Record?.IsPaired.ShouldBeFalse("no rule has paired it");
        (await UseAsync(claim, "c", Some.Loopback, Silent)).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task A_swap_whose_proof_was_used_before_writes_nothing()
    {
        if (!RemembersUses)
            return;
        DateTimeOffset now = await NowAsync();
        DeviceRecord record = Some.Paired(Some.Claim(), now);
        var once = new UseOnce("a", UseOnce.Longest);
        DeviceRecord another = record with { Version = Some.Version() };

        (await Store.SwapAsync(new DeviceSwap(record, another, ExpiresAt: null, PendingLimits.None) { Once = once }, None)).ShouldBe(SwapResult.Conflict);
        (await Store.SwapAsync(new DeviceSwap(Previous: null, record, ExpiresAt: null, PendingLimits.None) { Once = once }, None))
            .ShouldBe(SwapResult.Swapped, "a conflict has marked nothing");
        (await Store.SwapAsync(new DeviceSwap(record, another, ExpiresAt: null, PendingLimits.None) { Once = once }, None)).ShouldBe(SwapResult.UsedBefore);
        (await Store.GetAsync(record.Id, None)).Record!.Version.ShouldBe(record.Version);
    }

    [Fact]
    public async Task A_device_that_waits_for_approval_is_bounded_in_its_marks()
    {
        if (!RemembersUses)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        DeviceClaim other = Some.Claim("operator", "operator.read");
        PairingRequest request = await AskAsync(claim, Some.Rules);
        await AskAsync(other, Some.Rules);
        for (int i = 0; i < UseOnce.MostOfOtherDevice; i++)
            (await UseAsync(claim, $"{i}")).ShouldBeOfType<Admission.Refused>();

        (await Should.ThrowAsync<RegistryUnavailableException>(() => UseAsync(claim, "more"))).IsContended.ShouldBeTrue();
        (await UseAsync(claim, "0")).ShouldBeOfType<Admission.UsedBefore>("nothing is forgotten to make room");
        (await UseAsync(other, "more")).ShouldBeOfType<Admission.Refused>();
        await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None);
        (await UseAsync(claim, "more")).ShouldBeOfType<Admission.Admitted>("approved devices have more room");
    }

    [Fact]
    public async Task A_damaged_document_admits_nobody_and_its_repair_brings_no_proof_back()
    {
        if (!RemembersUses || !CanBeDamaged)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        (await UseAsync(claim, "a")).ShouldBeOfType<Admission.Admitted>();
        Func<Task> repairAsync = await DamageAsync(claim.Device, DocumentDamage.NotJson);
        await Should.ThrowAsync<DamagedDocumentException>(() => UseAsync(claim, "b"));

        await repairAsync();

        (await UseAsync(claim, "a")).ShouldBeOfType<Admission.UsedBefore>();
        (await UseAsync(claim, "c")).ShouldBeOfType<Admission.Admitted>();
    }

    /// <summary>Decides a claim with a proof of this name.</summary>
    protected Task<Admission> UseAsync(DeviceClaim claim, string name, ClaimOrigin? origin = null, PairingRules? rules = null) =>
        UseAsync(claim, new UseOnce(name, UseOnce.Longest), origin, rules);

    /// <summary>Decides a claim with a proof.</summary>
    protected async Task<Admission> UseAsync(DeviceClaim claim, UseOnce once, ClaimOrigin? origin = null, PairingRules? rules = null) =>
        await Registry.AdmitAsync(claim, origin ?? Some.Origin, rules ?? Some.Rules, once, None);

    /// <summary>Another change comes between the reading and the swap, a few times.</summary>
    private sealed class OvertakenStore(IDeviceStore inner, int times) : DelegatingStore(inner)
    {
        private readonly IDeviceStore _inner = inner;

        public int Times { get; private set; } = times;

        public override async ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
        {
            if (Times > 0)
            {
                Times--;
                DateTimeOffset now = (await _inner.GetAsync(swap.Id, cancellationToken)).Now;
                DeviceRecord other = (swap.Previous ?? swap.Next with { Grants = swap.Next.Grants.Clear() }) with { Version = Some.Version(), Label = $"{Times}" };
                (await _inner.SwapAsync(new DeviceSwap(swap.Previous, other, now.AddMinutes(5), PendingLimits.None), cancellationToken)).ShouldBe(SwapResult.Swapped);
            }

            return await base.SwapAsync(swap, cancellationToken);
        }
    }
}
