using System.Collections.Concurrent;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>
/// The contract of every store, as tests. Derive a test class from it for each store; xunit (2) runs the inherited tests. Reads and writes
/// go through the <see cref="DeviceRegistry"/> wherever they would in a gateway.
/// </summary>
public abstract partial class DeviceStoreContract : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>The store under test.</summary>
    protected IDeviceStore Store { get; private set; } = null!;

    /// <summary>The registry on the store under test.</summary>
    protected DeviceRegistry Registry { get; private set; } = null!;

    /// <summary>Whether the store is an <see cref="ILastSeenStore"/>. False: tests about when devices were seen are skipped.</summary>
    protected virtual bool KeepsLastSeen => true;

    /// <summary>Opens the store, before each test.</summary>
    public virtual async Task InitializeAsync()
    {
        Store = await OpenAsync();
        Registry = new DeviceRegistry(Store);
    }

    /// <summary>Disposes of the store, after each test.</summary>
    public virtual async Task DisposeAsync()
    {
        await Store.DisposeAsync();
        foreach (IDeviceStore other in _others)
            await other.DisposeAsync();
    }

    [Fact]
    public async Task A_device_that_nobody_wrote_is_absent()
    {
        (await Store.GetAsync(Some.Claim().Device, None)).Record.ShouldBeNull();
        (await Store.FindRequestAsync(RequestId.New(DateTimeOffset.UtcNow), None)).ShouldBeNull();
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        await Store.PingAsync(None);
    }

    [Fact]
    public async Task A_written_document_is_read_back_whole()
    {
        DateTimeOffset now = await NowAsync();
        DeviceClaim claim = Some.Claim("operator", "operator.read", "operator.write");
        var request = new PairingRequest
        {
            Id = RequestId.New(now),
            DeviceId = claim.Device,
            Role = "node",
            Scopes = ScopeSet.Empty,
            Reason = PairingReason.RoleUpgrade,
            Client = claim.Client,
            Address = "192.0.2.1",
            Locality = LocalityKind.Network,
            CreatedAt = now,
            ExpiresAt = now + Some.Lifetimes.Request,
        };
        DeviceRecord record = Some.Paired(claim, now) with
        {
            Requests = [request],
            Refusals = new RefusalMarks { At = now, Roles = DefaultAudience.Roles("node") },
            LastSeenAt = now,
        };
        record = Transitions.AutoApprove(record, claim.Asking("operator", "operator.admin"), "loopback", ScopeImplications.Default, now, Some.Lifetimes);
        record.Grants.Of("operator").Parts!.Rules.Keys.ShouldBe(["loopback"]);

        (await PutAsync(previous: null, record)).ShouldBe(SwapResult.Swapped);

        DeviceRecord? read = (await Store.GetAsync(claim.Device, None)).Record;
        DeviceDocument.Serialize(read!).ShouldBe(DeviceDocument.Serialize(record));
        read!.LastSeenAt.ShouldBe(now);
    }

    [Fact]
    public async Task A_swap_needs_the_version_that_is_there()
    {
        DateTimeOffset now = await NowAsync();
        DeviceRecord first = Some.Paired(Some.Claim(), now);
        DeviceRecord second = first with { Version = Some.Version() };
        (await PutAsync(first, second)).ShouldBe(SwapResult.Conflict, "there is none to replace");

        (await PutAsync(previous: null, first)).ShouldBe(SwapResult.Swapped);
        (await PutAsync(previous: null, second)).ShouldBe(SwapResult.Conflict, "there is one already");
        (await PutAsync(second, first)).ShouldBe(SwapResult.Conflict, "it has another version");
        (await PutAsync(first, second)).ShouldBe(SwapResult.Swapped);
        (await PutAsync(first, second)).ShouldBe(SwapResult.Conflict, "it was replaced already");
        (await Store.GetAsync(first.Id, None)).Record!.Version.ShouldBe(second.Version);
    }

    [Fact]
    public async Task A_version_that_is_a_prefix_of_another_does_not_match()
    {
        DeviceRecord record = Some.Paired(Some.Claim(), await NowAsync()) with { Version = "abc" };
        await PutAsync(previous: null, record);

        (await PutAsync(record with { Version = "ab" }, record)).ShouldBe(SwapResult.Conflict);
        (await PutAsync(record with { Version = "" }, record)).ShouldBe(SwapResult.Conflict);
        (await PutAsync(record with { Version = "abcd" }, record)).ShouldBe(SwapResult.Conflict);
    }

    [Fact]
    public async Task A_document_expires_by_the_stores_time()
    {
        DateTimeOffset now = await NowAsync();
        DeviceRecord record = Some.Paired(Some.Claim(), now);
        (await Store.SwapAsync(new DeviceSwap(Previous: null, record, now.AddMilliseconds(300), PendingLimits.None), None)).ShouldBe(SwapResult.Swapped);
        StoredDevice read = await Store.GetAsync(record.Id, None);
        if (read.Now < now.AddMilliseconds(300))
            read.Record.ShouldNotBeNull();

        await PassAsync(now.AddMilliseconds(310)); // Redis expires a key after its millisecond, and checks its clock at intervals

        (await Store.GetAsync(record.Id, None)).Record.ShouldBeNull();
        (await PutAsync(record, record)).ShouldBe(SwapResult.Conflict, "what has expired is absent");
        (await PutAsync(previous: null, record)).ShouldBe(SwapResult.Swapped);
    }

    [Fact]
    public async Task A_device_that_was_never_approved_leaves_nothing_behind()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromMilliseconds(200), TimeSpan.FromDays(90)) };
        DeviceClaim claim = Some.Claim();
        PairingRequest request = await AskAsync(claim, rules);

        await PassAsync(request.ExpiresAt + rules.Lifetimes.Request + TimeSpan.FromMilliseconds(50));

        (await Store.GetAsync(claim.Device, None)).Record.ShouldBeNull();
        (await Registry.FindRequestAsync(request.Id, None)).ShouldBeNull();
        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        await Registry.AdmitAsync(Some.Claim(), Some.Origin, rules, None); // stores may clean up when they write
        await LeavesNothingAsync(claim, request);
    }

    [Fact]
    public async Task An_approved_device_never_expires()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(200)) };
        DeviceClaim claim = Some.Claim();
        PairingRequest request = await AskAsync(claim, Some.Rules);
        (await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);

        await PassAsync(await NowAsync() + (3 * rules.Lifetimes.Request));

        (await Registry.AdmitAsync(claim, Some.Origin, rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(claim.Device);
    }

    [Fact]
    public async Task A_blocked_device_that_never_connected_is_listed_for_good()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)) };
        DeviceClaim claim = Some.Claim();
        (await Registry.ChangeAsync(claim.Device, new DeviceChange.Block("lost"), Some.Operator, rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);

        await PassAsync(await NowAsync() + (3 * rules.Lifetimes.Request));

        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Block!.Reason.ShouldBe("lost");
        (await Registry.AdmitAsync(claim, Some.Loopback, rules with { Policy = PairingPolicy.Default }, None)).ShouldBeOfType<Admission.Blocked>();
        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();

        (await Registry.ChangeAsync(claim.Device, new DeviceChange.Unblock(), Some.Operator, rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        (await Registry.AdmitAsync(claim, Some.Loopback, rules with { Policy = PairingPolicy.Default }, None)).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task A_blocked_device_that_is_paired_is_listed_once_before_during_and_after()
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);

        foreach (DeviceChange change in new DeviceChange[] { new DeviceChange.Block(Reason: null), new DeviceChange.Unblock() })
        {
            (await Registry.ChangeAsync(claim.Device, change, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
            (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(claim.Device);
        }
    }

    [Fact]
    public async Task A_grant_covers_until_its_end_by_the_stores_time()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        DateTimeOffset end = await NowAsync() + TimeSpan.FromSeconds(2);
        var terms = new GrantTerms(claim.Scopes, end);
        (await Registry.ChangeAsync(claim.Device, new DeviceChange.SetGrant("operator".InDefault(), terms), Some.Operator, Some.Rules, None))!
            .Outcome.ShouldBe(DecisionOutcome.Done);
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await Registry.AdmitAsync(claim, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Admitted>().Now.ShouldBeLessThan(end);

        await PassAsync(end);

        (await Registry.AdmitAsync(claim, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Refused>().Reason.ShouldBe(PairingReason.NotPaired);
    }

    [Fact]
    public async Task A_forgotten_device_is_gone_and_may_come_back()
    {
        DeviceClaim claim = Some.Claim();
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await Registry.AdmitAsync(claim, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Admitted>();
        DeviceClaim kept = Some.Claim();
        await PairAsync(kept);
        var fleet = new DeviceFleet(Registry, TimeProvider.System);

        (await fleet.ForgetIdleAsync(TimeSpan.FromHours(1), silent, None)).ShouldBe(0, "it was approved a moment ago");
        (await fleet.ForgetIdleAsync(TimeSpan.Zero, silent, None)).ShouldBe(1);

        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(kept.Device);
        (await Registry.AdmitAsync(claim, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Admitted>().Rule.ShouldBe("loopback");
    }

    [Fact]
    public async Task A_removed_device_is_a_mark_that_is_not_listed()
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);

        (await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();

        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        (await Store.GetAsync(claim.Device, None)).Record!.Refusals!.WholeDevice.ShouldBeTrue();
        (await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeFalse("there is nothing left to remove");
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await Registry.AdmitAsync(claim, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task The_same_ask_ten_times_is_one_request()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");

        var ids = new HashSet<RequestId>();
        for (int i = 0; i < 10; i++)
        {
            ids.Add((await AskAsync(claim, Some.Rules)).Id);
        }

        ids.Count.ShouldBe(1);
        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(ids.Single());
    }

    [Fact]
    public async Task The_same_ask_from_many_at_once_is_one_request()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");

        PairingRequest[] requests = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(() => AskAsync(claim, Some.Rules))));

        RequestId id = requests.Select(r => r.Id).Distinct().ShouldHaveSingleItem();
        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(id);
        (await Store.FindRequestAsync(id, None)).ShouldBe(claim.Device);
    }

    [Fact]
    public async Task Open_requests_come_newest_first_across_pages()
    {
        var asked = new List<RequestId>();
        for (int i = 0; i < 25; i++)
        {
            asked.Add((await AskAsync(Some.Claim(), Some.Rules)).Id);
            await PassAsync((await NowAsync()).AddMilliseconds(1)); // ids of one millisecond have no order
        }

        asked.Reverse();
        List<RequestId> listed = await ListOpenAsync(pageSize: 10);

        listed.ShouldBe(asked);
        (await Store.ListOpenRequestsAsync(cursor: null, 25, None)).Next.ShouldBeNull("there is no page after the last item");
    }

    [Fact]
    public async Task A_resolved_request_is_not_open_and_still_found()
    {
        DeviceClaim claim = Some.Claim();
        PairingRequest approved = await AskAsync(claim, Some.Rules);
        PairingRequest rejected = await AskAsync(claim.Asking("node"), Some.Rules);
        await Registry.ApproveAsync(approved.Id, scopes: null, Some.Operator, Some.Rules, None);
        await Registry.RejectAsync(rejected.Id, Some.Operator, Some.Rules, None);

        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        (await Registry.FindRequestAsync(approved.Id, None))!.Status.ShouldBe(PairingRequestStatus.Approved);
        (await Registry.FindRequestAsync(rejected.Id, None))!.Status.ShouldBe(PairingRequestStatus.Rejected);
        (await Registry.RejectAsync(approved.Id, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
    }

    [Fact]
    public async Task Requests_that_expire_are_resolved_for_as_long_again()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(2), TimeSpan.FromDays(1)) };
        PairingRequest request = await AskAsync(Some.Claim(), rules);

        await PassAsync(request.ExpiresAt);

        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        (await Registry.FindRequestAsync(request.Id, None))!.Status.ShouldBe(PairingRequestStatus.Expired);
    }

    [Fact]
    public async Task No_more_requests_than_allowed_are_open_in_all()
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 3, PerAddress: int.MaxValue) };
        DeviceClaim first = Some.Claim();
        PairingRequest open = await AskAsync(first, rules);
        await AskAsync(Some.Claim(), rules);
        await AskAsync(Some.Claim(), rules);

        DeviceClaim late = Some.Claim();
        (await Registry.AdmitAsync(late, Some.Origin, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
        (await Store.GetAsync(late.Device, None)).Record.ShouldBeNull("a refused ask leaves nothing behind");
        (await AskAsync(first, rules)).Id.ShouldBe(open.Id, "an open ask is no new one");

        await Registry.RejectAsync(open.Id, Some.Operator, rules, None);
        await AskAsync(late, rules);
        (await Registry.AdmitAsync(Some.Claim(), Some.Origin, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
    }

    [Fact]
    public async Task No_more_requests_than_allowed_are_open_from_one_address()
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 5, PerAddress: 2) };
        PairingRequest open = await AskAsync(Some.Claim(), rules, "192.0.2.1");
        await AskAsync(Some.Claim(), rules, "192.0.2.1");

        DeviceClaim late = Some.Claim();
        (await Registry.AdmitAsync(late, Some.Origin with { Address = "192.0.2.1" }, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
        await AskAsync(Some.Claim(), rules, "192.0.2.2");
        await AskAsync(Some.Claim(), rules, address: null);

        await Registry.ApproveAsync(open.Id, scopes: null, Some.Operator, rules, None);
        await AskAsync(late, rules, "192.0.2.1");
        (await ListOpenAsync(pageSize: 10)).Count.ShouldBe(4, "the ask that was refused for its address takes no room in all");
        await AskAsync(Some.Claim(), rules, "192.0.2.3");
        (await Registry.AdmitAsync(Some.Claim(), Some.Origin with { Address = "192.0.2.4" }, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
    }

    [Fact]
    public async Task A_whole_64_counts_as_one_address()
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 10, PerAddress: 2) };
        await AskAsync(Some.Claim(), rules, "2001:db8:1:2::1");
        PairingRequest second = await AskAsync(Some.Claim(), rules, "2001:db8:1:2:ffff::1");

        DeviceClaim late = Some.Claim();
        (await Registry.AdmitAsync(late, Some.Origin with { Address = "2001:db8:1:2::3" }, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
        await AskAsync(Some.Claim(), rules, "2001:db8:1:3::1");
        second.Address.ShouldBe("2001:db8:1:2:ffff::1", "operators see the address itself");

        await Registry.RejectAsync(second.Id, Some.Operator, rules, None);
        await AskAsync(late, rules, "2001:db8:1:2::3");
    }

    [Fact]
    public async Task Expired_requests_make_room_for_new_ones()
    {
        PairingRules rules = Some.Rules with
        {
            Lifetimes = new Lifetimes(TimeSpan.FromMilliseconds(300), TimeSpan.FromDays(1)),
            Limits = new PendingLimits(InAll: 2, PerAddress: 2),
        };
        await AskAsync(Some.Claim(), rules, "192.0.2.1");
        PairingRequest last = await AskAsync(Some.Claim(), rules, "192.0.2.1");

        await PassAsync(last.ExpiresAt);

        await AskAsync(Some.Claim(), rules, "192.0.2.1");
    }

    [Fact]
    public async Task The_limit_of_open_requests_holds_when_many_ask_at_once()
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 10, PerAddress: int.MaxValue) };

        Admission[] admissions = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ =>
            Task.Run(async () => await Registry.AdmitAsync(Some.Claim(), Some.Origin, rules, None))));

        admissions.OfType<Admission.Refused>().Count().ShouldBe(10);
        admissions.OfType<Admission.TooManyRequests>().Count().ShouldBe(30);
        (await ListOpenAsync(pageSize: 100)).Count.ShouldBe(10);
    }

    [Fact]
    public async Task A_renewal_of_a_request_is_never_refused_for_lack_of_room()
    {
        PairingRules roomy = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(3), TimeSpan.FromDays(1)) };
        PairingRules full = roomy with { Limits = new PendingLimits(InAll: 0, PerAddress: 0) };
        DeviceClaim claim = Some.Claim();
        PairingRequest first = await AskAsync(claim, roomy, "192.0.2.1");
        await PassAsync(first.CreatedAt.AddSeconds(2));

        PairingRequest renewed = await AskAsync(claim, full, "192.0.2.1");

        renewed.Id.ShouldBe(first.Id);
        renewed.ExpiresAt.ShouldBeGreaterThan(first.ExpiresAt);
        await PassAsync(first.ExpiresAt);
        (await ListOpenAsync(pageSize: 10)).ShouldHaveSingleItem().ShouldBe(first.Id);
    }

    [Fact]
    public async Task Many_writers_on_one_device_lose_nothing()
    {
        DeviceClaim claim = Some.Claim();
        string[] roles = [.. Enumerable.Range(0, Transitions.MaxOpenRequestsPerDevice).Select(i => $"role{i}")];
        var decisions = new ConcurrentBag<Decision>();

        // Four connections at a time ask for each role, and each has it approved.
        await Task.WhenAll(roles.SelectMany(role => Enumerable.Range(0, 4).Select(i => Task.Run(async () =>
        {
            Admission admission = await Registry.AdmitAsync(claim.Asking(role, $"{role}.a", $"{role}.b"), Some.Origin, Some.Rules, None);
            if (admission is Admission.Admitted)
                return; // late: it was approved already
            RequestId id = admission.ShouldBeOfType<Admission.Refused>().Request.Id;
            if (await Registry.ApproveAsync(id, scopes: null, new Operator($"ops{i}"), Some.Rules, None) is { } decision)
                decisions.Add(decision);
        }))));

        DeviceRecord record = (await Store.GetAsync(claim.Device, None)).Record!;
        record.Grants.Keys.Names().ShouldBe(roles);
        foreach (string role in roles)
        {
            record.ScopesOf(role).ShouldBe(ScopeSet.Of($"{role}.a", $"{role}.b"));
            PairingRequest request = record.Requests.Where(r => r.Role == role).ShouldHaveSingleItem();
            request.Status.ShouldBe(PairingRequestStatus.Approved);
            decisions.Count(d => d.Outcome == DecisionOutcome.Done && d.Request!.Id == request.Id).ShouldBe(1, "one approval did it");
        }

        decisions.ShouldAllBe(d => d.Outcome == DecisionOutcome.Done || d.Outcome == DecisionOutcome.AlreadyDone);
        (await ListOpenAsync(pageSize: 10)).ShouldBeEmpty();
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task One_of_an_approval_and_a_rejection_wins()
    {
        for (int round = 0; round < 20; round++)
        {
            DeviceClaim claim = Some.Claim("operator", "operator.read");
            PairingRequest request = await AskAsync(claim, Some.Rules);

            Decision?[] decisions = await Task.WhenAll(
                Task.Run(async () => await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None)),
                Task.Run(async () => await Registry.RejectAsync(request.Id, Some.Operator, Some.Rules, None)));

            decisions.Select(d => d!.Outcome).ShouldBe([DecisionOutcome.Done, DecisionOutcome.AlreadyResolved], ignoreOrder: true);
            bool approved = decisions[0]!.Outcome == DecisionOutcome.Done;
            (await Store.GetAsync(claim.Device, None)).Record!.IsPaired.ShouldBe(approved);
            (await ListOpenAsync(pageSize: 10)).ShouldNotContain(request.Id);
        }
    }

    [Fact]
    public async Task An_approval_survives_asks_and_renewals_at_the_same_time()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(3), TimeSpan.FromDays(1)) };
        for (int round = 0; round < 5; round++)
        {
            DeviceClaim claim = Some.Claim("operator", "operator.read");
            PairingRequest request = await AskAsync(claim, rules);
            await PassAsync(request.CreatedAt.AddMilliseconds(301)); // a tenth of the lifetime: the next ask renews

            await Task.WhenAll(
                Task.Run(() => Registry.AdmitAsync(claim, Some.Origin, rules, None).AsTask()),
                Task.Run(() => Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, rules, None).AsTask()),
                Task.Run(() => Registry.AdmitAsync(claim.Asking("node"), Some.Origin, rules, None).AsTask()));

            DeviceRecord record = (await Store.GetAsync(claim.Device, None)).Record!;
            record.ScopesOf("operator").ShouldBe(claim.Scopes);
            PairingRequest other = record.Requests.Where(r => r.Role == "node").ShouldHaveSingleItem();
            List<RequestId> open = await ListOpenAsync(pageSize: 10);
            open.ShouldContain(other.Id);
            open.ShouldNotContain(request.Id);
        }
    }

    [Fact]
    public async Task A_removal_and_an_approval_at_the_same_time_end_as_if_one_came_first()
    {
        for (int round = 0; round < 20; round++)
        {
            DeviceClaim claim = Some.Claim("operator", "operator.read");
            await PairAsync(claim);
            PairingRequest request = await AskAsync(claim.Asking("node"), Some.Rules);

            Decision? approval = null;
            await Task.WhenAll(
                Task.Run(async () => approval = await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None)),
                Task.Run(() => Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None).AsTask()));

            // If the approval came first, the removal takes it back; if it came second, it finds the request resolved.
            approval!.Outcome.ShouldBeOneOf(DecisionOutcome.Done, DecisionOutcome.AlreadyResolved);
            DeviceRecord record = (await Store.GetAsync(claim.Device, None)).Record!;
            record.IsPaired.ShouldBeFalse();
            record.Refusals!.Covers("node").ShouldBeTrue();
            (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
            (await ListOpenAsync(pageSize: 10)).ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task Ten_thousand_devices_are_paged_through_once_each_while_others_write()
    {
        const int Count = 10_000;
        DateTimeOffset now = await NowAsync();
        var devices = new ConcurrentBag<DeviceRecord>();
        await Parallel.ForAsync(0, Count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (_, _) =>
        {
            DeviceRecord record = Some.Paired(Some.Claim(), now);
            (await PutAsync(previous: null, record)).ShouldBe(SwapResult.Swapped);
            devices.Add(record);
        });

        using var done = new CancellationTokenSource();
        Task writers = Task.Run(async () =>
        {
            DeviceRecord[] existing = [.. devices];
            for (int i = 0; !done.IsCancellationRequested; i++)
            {
                DeviceClaim passing = Some.Claim();
                await PairAsync(passing);
                await Registry.RemoveAsync(passing.Device, Some.Operator, Some.Rules, None);
                DeviceRecord touched = existing[i * 7 % Count];
                await PutAsync(touched, existing[i * 7 % Count] = touched with { Version = Some.Version() });
            }
        });
        var visited = new List<DeviceId>();
        string? cursor = null;
        do
        {
            PagedResult<DeviceRecord> page = await Store.ListDevicesAsync(cursor, 500, None);
            page.Items.Count.ShouldBeLessThanOrEqualTo(500);
            visited.AddRange(page.Items.Select(d => d.Id));
            cursor = page.Next;
        }
        while (cursor is not null);
        await done.CancelAsync();
        await writers;

        visited.Count.ShouldBe(visited.Distinct().Count());
        devices.Select(d => d.Id).Except(visited).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_sighting_records_its_time_and_changes_nothing_else()
    {
        if (!KeepsLastSeen)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        DeviceRecord before = (await Store.GetAsync(claim.Device, None)).Record!;
        before.LastSeenAt.ShouldBeNull();
        DateTimeOffset now = await NowAsync();

        await SeeAsync(claim, now.AddSeconds(1));
        await SeeAsync(claim, now); // gateways that write later may be slower

        DeviceRecord after = (await Store.GetAsync(claim.Device, None)).Record!;
        after.LastSeenAt.ShouldBe(now.AddSeconds(1));
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().LastSeenAt.ShouldBe(now.AddSeconds(1));
        after.Version.ShouldBe(before.Version);
        DeviceDocument.Serialize(after).ShouldBe(DeviceDocument.Serialize(before));
        (await PutAsync(before, before with { Version = Some.Version() })).ShouldBe(SwapResult.Swapped, "a decision made before it is not in conflict");
    }

    [Fact]
    public async Task A_decision_keeps_when_the_device_was_seen()
    {
        if (!KeepsLastSeen)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        DateTimeOffset now = await NowAsync();
        await SeeAsync(claim, now);

        await PairAsync(claim.Asking("node"));

        (await Store.GetAsync(claim.Device, None)).Record!.LastSeenAt.ShouldBe(now);
    }

    [Fact]
    public async Task A_sighting_creates_no_record_and_restores_none()
    {
        if (!KeepsLastSeen)
            return;
        DateTimeOffset now = await NowAsync();
        DeviceClaim unknown = Some.Claim();
        DeviceClaim removed = Some.Claim("operator", "operator.read");
        await PairAsync(removed);
        await SeeAsync(removed, now);
        await Registry.RemoveAsync(removed.Device, Some.Operator, Some.Rules, None);

        await SeeAsync(unknown, now);
        await SeeAsync(removed, now);

        (await Store.GetAsync(unknown.Device, None)).Record.ShouldBeNull();
        DeviceRecord mark = (await Store.GetAsync(removed.Device, None)).Record!;
        (mark.IsPaired, mark.LastSeenAt).ShouldBe((false, null));
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        await PairAsync(removed);
        (await Store.GetAsync(removed.Device, None)).Record!.LastSeenAt.ShouldBeNull("the removal took it along");
    }

    [Fact]
    public async Task A_sighting_does_not_extend_the_expiry_of_a_document()
    {
        if (!KeepsLastSeen)
            return;
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromMilliseconds(300), TimeSpan.FromDays(90)) };
        DeviceClaim claim = Some.Claim();
        PairingRequest request = await AskAsync(claim, rules);

        await SeeAsync(claim, await NowAsync());
        (await Store.GetAsync(claim.Device, None)).Record?.LastSeenAt.ShouldBeNull();
        await PassAsync(request.ExpiresAt + rules.Lifetimes.Request + TimeSpan.FromMilliseconds(50));

        (await Store.GetAsync(claim.Device, None)).Record.ShouldBeNull();
    }

    [Fact]
    public async Task Devices_that_are_seen_all_the_time_can_be_decided_about()
    {
        if (!KeepsLastSeen)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        using var done = new CancellationTokenSource();
        DateTimeOffset start = await NowAsync();
        Task seen = Task.Run(async () =>
        {
            for (int i = 0; !done.IsCancellationRequested; i++)
                await SeeAsync(claim, start.AddMilliseconds(i));
        });

        for (int i = 0; i < 50; i++)
            await PairAsync(claim.Asking("node", $"scope{i}"));
        (await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
        await done.CancelAsync();
        await seen;

        DeviceRecord mark = (await Store.GetAsync(claim.Device, None)).Record!;
        (mark.IsPaired, mark.LastSeenAt, mark.Refusals!.WholeDevice).ShouldBe((false, null, true));
    }

    [Fact]
    public async Task A_cancelled_operation_ends()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await Store.GetAsync(Some.Claim().Device, cancelled.Token));
        await Should.ThrowAsync<OperationCanceledException>(async () => await Store.ListDevicesAsync(cursor: null, 1, cancelled.Token));
    }

    /// <summary>Opens a store that is empty.</summary>
    protected abstract Task<IDeviceStore> OpenAsync();

    /// <summary>
    /// Waits until the store's clock has reached this time. Override it if the test can set that clock; otherwise the store is polled.
    /// </summary>
    /// <param name="time">The time, a few seconds ahead at most.</param>
    protected virtual Task PassAsync(DateTimeOffset time) =>
        Eventually.HoldsAsync(async () => await NowAsync() >= time, $"it is {time:O} at the store");

    /// <summary>Checks, without using the store, that nothing of an expired device and its request is kept.</summary>
    /// <param name="claim">The device.</param>
    /// <param name="request">The request.</param>
    protected abstract Task LeavesNothingAsync(DeviceClaim claim, PairingRequest request);

    /// <summary>Notes that the device was seen.</summary>
    protected Task SeeAsync(DeviceClaim claim, DateTimeOffset at) =>
        ((ILastSeenStore)Store).NoteSeenAsync([new SeenDevice(claim.Device, at)], None).AsTask();

    /// <summary>The store's time.</summary>
    protected async Task<DateTimeOffset> NowAsync() => (await Store.GetAsync(Some.Claim().Device, None)).Now;

    /// <summary>Swaps a record that never expires in, without limits.</summary>
    protected async Task<SwapResult> PutAsync(DeviceRecord? previous, DeviceRecord next) =>
        await Store.SwapAsync(new DeviceSwap(previous, next, ExpiresAt: null, PendingLimits.None), None);

    /// <summary>Makes the device ask from a remote address, so that an operator must approve.</summary>
    protected async Task<PairingRequest> AskAsync(DeviceClaim claim, PairingRules rules, string? address = null) =>
        (await Registry.AdmitAsync(claim, Some.Origin with { Address = address }, rules, None)).ShouldBeOfType<Admission.Refused>().Request;

    /// <summary>Makes the device ask, and an operator approve.</summary>
    protected async Task PairAsync(DeviceClaim claim)
    {
        PairingRequest request = await AskAsync(claim, Some.Rules);
        (await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
    }

    /// <summary>Every open request, by pages.</summary>
    protected async Task<List<RequestId>> ListOpenAsync(int pageSize)
    {
        var listed = new List<RequestId>();
        string? cursor = null;
        do
        {
            PagedResult<PairingRequest> page = await Store.ListOpenRequestsAsync(cursor, pageSize, None);
            page.Items.Count.ShouldBeLessThanOrEqualTo(pageSize);
            listed.AddRange(page.Items.Select(r => r.Id));
            cursor = page.Next;
        }
        while (cursor is not null);

        return listed;
    }
}
