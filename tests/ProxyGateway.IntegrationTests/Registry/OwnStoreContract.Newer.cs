using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What a newer gateway has written: documents as no other store writes them by itself.</summary>
public abstract partial class OwnStoreContract
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Every change of a device's record that an operator can make, and removing it by a rule.</summary>
    public static TheoryData<DeviceChange> ChangesOfDevices =>
    [
        new DeviceChange.SetGrant("operator".InDefault(), new GrantTerms(ScopeSet.Empty)),
        new DeviceChange.TakeGrant("operator".InDefault()),
        new DeviceChange.SetLabel("name"),
        new DeviceChange.Block("lost"),
        new DeviceChange.Unblock(),
        new DeviceChange.Remove(),
        new DeviceChange.RemoveByRule("loopback"),
    ];

    [Fact]
    public async Task Unknown_members_survive_every_write()
    {
        DateTimeOffset now = await NowAsync();
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        DeviceRecord record = Transitions.AutoApprove(
            Some.Paired(claim, now), claim.Asking("operator", "operator.write"), "loopback", ScopeImplications.Default, now, Some.Lifetimes);
        record = Transitions.Ask(record, claim.Asking("node"), PairingReason.RoleUpgrade, LocalityKind.Remote, "192.0.2.1", now, Some.Lifetimes).Next;
        record = NewerGateway.Extend(record with { Refusals = new RefusalMarks { At = now, Roles = DefaultAudience.Roles("admin") } });
        await PutAsync(previous: null, record);
        string[] all = NewerGateway.Extended(record);
        all.Length.ShouldBe(7, "the record, client, refusals, a grant with parts, and a request with its client");
        await ShouldBeKeptAsync(all, "written and read");

        await SeeAsync(claim, now.AddSeconds(1));
        await ShouldBeKeptAsync(all, "seen");
        await ChangeAsync(new DeviceChange.SetLabel("name"));
        await ShouldBeKeptAsync(all, "named");
        await ChangeAsync(new DeviceChange.Block("lost"));
        await ChangeAsync(new DeviceChange.Unblock());
        await ShouldBeKeptAsync(all, "blocked and let in again");
        await AskAsync(claim.Asking("auditor"), Some.Rules);
        all = [.. all.Except(["client"])]; // the device has described itself anew
        await ShouldBeKeptAsync(all, "it asked for more");
        (await Registry.ApproveAsync(record.Requests[0].Id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(
            DecisionOutcome.AlreadyResolved, "the block has withdrawn it");
        await ShouldBeKeptAsync(all, "decided about");
        await ChangeAsync(new DeviceChange.RemoveByRule("loopback"));
        all = [.. all.Except(["parts of operator"])];
        await ShouldBeKeptAsync(all, "a rule was taken back, and what is left is an operator's alone");
        await ShouldBeKeptAsync(all, "copied and back", await CopiedAsync(claim.Device));
        await ChangeAsync(new DeviceChange.Remove());
        await ShouldBeKeptAsync([.. all.Except(["grant operator"])], "removed");

        async Task ChangeAsync(DeviceChange change) =>
            (await Registry.ChangeAsync(claim.Device, change, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);

        async Task ShouldBeKeptAsync(string[] expected, string after, DeviceRecord? found = null) =>
            NewerGateway.Extended(found ?? (await Store.GetAsync(claim.Device, None)).Record!).Intersect(expected).ShouldBe(expected, ignoreOrder: true, after);
    }

    [Fact]
    public async Task A_device_of_a_newer_format_is_not_admitted_and_others_are()
    {
        DeviceClaim[] claims = [Some.Claim(), Some.Claim(), Some.Claim()];
        Array.Sort(claims, (a, b) => string.CompareOrdinal(a.Device.ToString(), b.Device.ToString()));
        foreach (DeviceClaim claim in claims)
        {
            await PairAsync(claim);
            await AskAsync(claim.Asking("node"), Some.Rules);
        }

        (DeviceRecord before, NewerDocument newer) = await RaiseFormatAsync(claims[1].Device);

        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        NewerDocumentException refusal = await Should.ThrowAsync<NewerDocumentException>(
            async () => await Registry.AdmitAsync(claims[1], Some.Loopback, silent, None));
        (refusal.Document, refusal.Device).ShouldBe((newer, claims[1].Device));
        (await Registry.AdmitAsync(claims[0], Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();

        (await Store.ListDevicesAsync(cursor: null, 10, None)).ShouldSatisfyAllConditions(
            page => page.Items.Select(d => d.Id).ShouldBe([claims[0].Device, claims[2].Device]),
            page => page.Newer.ShouldBe([newer]),
            page => page.Next.ShouldBeNull());
        (await PagesAsync(cursor => Store.ListDevicesAsync(cursor, 1, None))).ShouldBe([1, 1, 1], "one of a newer format counts for the limit");
        PagedResult<PairingRequest> open = await Store.ListOpenRequestsAsync(cursor: null, 10, None);
        open.Items.Select(r => r.DeviceId).ShouldBe([claims[0].Device, claims[2].Device], ignoreOrder: true);
        open.Newer.ShouldBe([newer]);
        (await PagesAsync(cursor => Store.ListOpenRequestsAsync(cursor, 1, None))).ShouldBe([1, 1, 1]);
        (await Store.GetVersionsAsync([claims[1].Device], None))[claims[1].Device].ShouldBe(newer.Version, "its sessions are checked");

        await LowerFormatAsync(before);
        (await Registry.AdmitAsync(claims[1], Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Items.Select(d => d.Id).ShouldBe(claims.Select(c => c.Device), "nothing was taken for gone");
        (await ListOpenAsync(pageSize: 10)).Count.ShouldBe(3);
    }

    [Theory]
    [MemberData(nameof(ChangesOfDevices))]
    public async Task A_document_of_a_newer_format_is_never_replaced(DeviceChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        PairingRequest request = await AskAsync(claim.Asking("node"), Some.Rules);
        DeviceRecord stale = (await Store.GetAsync(claim.Device, None)).Record!;
        (DeviceRecord before, NewerDocument newer) = await RaiseFormatAsync(claim.Device);
        int changes = 0;
        Registry.Changed += (_, _) => changes++;

        await ShouldBeRefusedAsync(async () => await Registry.ChangeAsync(claim.Device, change, Some.Operator, Some.Rules, None));
        await ShouldBeRefusedAsync(async () => await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None));
        await ShouldBeRefusedAsync(async () => await Registry.RejectAsync(request.Id, Some.Operator, Some.Rules, None));
        (await PutAsync(stale, stale with { Version = Some.Version() })).ShouldBe(SwapResult.Conflict);
        (await PutAsync(previous: null, stale with { Requests = [] })).ShouldBe(SwapResult.Conflict);
        DeviceRecord mark = Transitions.RemoveDamaged(claim.Device, Some.Operator, await NowAsync(), Some.Lifetimes) with { Version = Some.Version() };
        (await Store.SwapAsync(new DeviceSwap(Previous: null, mark, ExpiresAt: null, PendingLimits.None) { ReplacesDamage = true }, None))
            .ShouldBe(SwapResult.Conflict, "it is not damaged");
        await SeeAsync(claim, await NowAsync());

        changes.ShouldBe(0);
        (await Store.GetAsync(claim.Device, None)).Damage.ShouldBeOfType<NewerDocumentException>().Document.ShouldBe(newer);
        (await Store.ListDevicesAsync(cursor: null, 10, None)).Newer.ShouldBe([newer]);
        await LowerFormatAsync(before);
        (await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done, "the request is as it was");

        static async Task ShouldBeRefusedAsync(Func<Task> change) => await Should.ThrowAsync<NewerDocumentException>(change);
    }

    [Fact]
    public async Task Changes_of_many_devices_skip_those_of_a_newer_format_and_say_so()
    {
        var fleet = new DeviceFleet(Registry, TimeProvider.System);
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        DeviceClaim[] claims = [Some.Claim(), Some.Claim(), Some.Claim()];
        foreach (DeviceClaim claim in claims)
            (await Registry.AdmitAsync(claim, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Admitted>();
        (_, NewerDocument newer) = await RaiseFormatAsync(claims[1].Device);

        ImportOutcome[] imported = new ImportOutcome[claims.Length];
        for (int i = 0; i < claims.Length; i++)
        {
            var device = new ImportedDevice(
                claims[i].Device, claims[i].PublicKey, ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty.Add("node", new GrantTerms(ScopeSet.Empty)));
            imported[i] = await fleet.ImportAsync(device, dryRun: false, Some.Operator, silent, None);
        }

        imported.ShouldBe([ImportOutcome.Extended, ImportOutcome.NewerFormat, ImportOutcome.Extended]);
        (await fleet.ForgetIdleAsync(TimeSpan.FromTicks(1), silent, None)).ShouldBe(0);
        (await fleet.RemoveByRuleAsync("loopback", dryRun: false, Some.Operator, silent, None)).ShouldBe(
            new RemovedByRule(Removed: 0, Narrowed: 2) { NewerFormat = 1 });
        (await Store.GetAsync(claims[1].Device, None)).Damage.ShouldBeOfType<NewerDocumentException>().Document.ShouldBe(newer);
    }

    [Fact]
    public async Task A_registry_with_a_document_of_a_newer_format_is_not_copied()
    {
        await using ICopyableDeviceStore target = await OpenOtherAsync(new FakeTimeProvider(await NowAsync()));
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        await RaiseFormatAsync(claim.Device);

        NewerDocumentException refusal = await Should.ThrowAsync<NewerDocumentException>(() => new RegistryCopy((ICopyableDeviceStore)Store, target).RunAsync(None));

        refusal.Message.ShouldContain(claim.Device.ToString());
        (await target.ReadAllAsync(None).ToListAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Devices_of_a_newer_format_are_counted_until_they_can_be_read()
    {
        var log = new Gate.CapturedLog();
        var registry = new DeviceRegistry(Store, audit: null, new LoggerFactory([log]).CreateLogger<DeviceRegistry>());
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        (await registry.CountNewerAsync(None)).ShouldBe((0, 0));
        (DeviceRecord before, _) = await RaiseFormatAsync(claim.Device);
        (await registry.CountNewerAsync(None)).ShouldBe((0, 0), "it was not met yet");

        for (int i = 0; i < 3; i++)
            await Should.ThrowAsync<NewerDocumentException>(async () => await registry.AdmitAsync(claim, Some.Origin, Some.Rules, None));

        (await registry.CountNewerAsync(None)).ShouldBe((1, DeviceDocument.Format + 1));
        log.Lines.ShouldHaveSingleItem().Text.ShouldContain(claim.Device.ToString());
        await LowerFormatAsync(before);
        (await registry.CountNewerAsync(None)).ShouldBe((0, 0), "it was read again");
        await RaiseFormatAsync(claim.Device);
        await registry.ListDevicesAsync(cursor: null, 10, None);
        (await registry.CountNewerAsync(None)).ShouldBe((1, DeviceDocument.Format + 1), "a list meets it too");
    }

    /// <summary>As a newer gateway does that has set a restriction of which this version knows nothing.</summary>
    private async Task<(DeviceRecord Before, NewerDocument Newer)> RaiseFormatAsync(DeviceId id)
    {
        DeviceRecord record = (await Store.GetAsync(id, None)).Record!;
        DeviceRecord raised = NewerGateway.Extend(record with { Version = Some.Version() }).InFormat(DeviceDocument.Format + 1);
        (await PutAsync(record, raised)).ShouldBe(SwapResult.Swapped);
        return (raised, new NewerDocument(id, DeviceDocument.Format + 1, raised.Version));
    }

    /// <summary>As a newer gateway does that has taken the restriction back.</summary>
    private async Task LowerFormatAsync(DeviceRecord raised) =>
        (await PutAsync(raised, raised with { Unknown = null, Version = Some.Version() })).ShouldBe(SwapResult.Swapped);

    private async Task<DeviceRecord> CopiedAsync(DeviceId id)
    {
        await using ICopyableDeviceStore target = await OpenOtherAsync(new FakeTimeProvider(await NowAsync()));
        (await new RegistryCopy((ICopyableDeviceStore)Store, target).RunAsync(None)).Obstacle.ShouldBeNull();
        return (await target.GetAsync(id, None)).Record!;
    }

    private static async Task<List<int>> PagesAsync<T>(Func<string?, ValueTask<PagedResult<T>>> list)
    {
        var pages = new List<int>();
        string? cursor = null;
        do
        {
            PagedResult<T> page = await list(cursor);
            pages.Add(page.Items.Count + page.Newer.Count);
            cursor = page.Next;
        }
        while (cursor is not null);

        return pages;
    }
}
