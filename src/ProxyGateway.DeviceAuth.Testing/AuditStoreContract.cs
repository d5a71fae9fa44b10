using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using Xunit.Abstractions;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>
/// The contract of every store's audit, as tests. Derive a test class from it for each store; xunit (2) runs the inherited tests.
/// </summary>
/// <param name="output">The output for figures.</param>
public abstract class AuditStoreContract(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Kept = 200;
    private static readonly AuditFilter Any = new();
    private readonly string _writer = Guid.NewGuid().ToString("N");
    private long _number;

    /// <summary>The store under test.</summary>
    protected IAuditStore Store { get; private set; } = null!;

    /// <summary>The output for figures.</summary>
    protected ITestOutputHelper Output { get; } = output;

    /// <summary>Opens the store, before each test.</summary>
    public virtual async Task InitializeAsync() => Store = await OpenAsync(Kept);

    /// <summary>Disposes of what was opened, after each test.</summary>
    public abstract Task DisposeAsync();

    [Fact]
    public async Task An_empty_audit_lists_nothing()
    {
        (await Store.ListAsync(Any, before: null, 10, default)).ShouldSatisfyAllConditions(p => p.Items.ShouldBeEmpty(), p => p.Next.ShouldBeNull());
        (await Store.ReadAfterAsync(0, 10, default)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task Entries_are_read_back_whole_newest_first()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read", "operator.write");
        AuditEntry whole = new()
        {
            Time = new DateTimeOffset(2026, 11, 22, 10, 0, 0, 123, TimeSpan.Zero),
            Gateway = "gateway-1",
            Kind = AuditKinds.DeviceAutoApproved,
            DeviceId = claim.Device,
            RequestId = RequestId.New(DateTimeOffset.UtcNow),
            Role = claim.Role,
            Scopes = claim.Scopes,
            Reason = "not-paired",
            CloseCode = 1008,
            Rule = "loopback",
            Operator = "ops",
            Address = "192.0.2.1",
            Locality = LocalityKind.Loopback,
            Client = claim.Client,
            Uncertain = true,
        };
        await AppendAsync(Entry(AuditKinds.DeviceRefused), whole, Entry(AuditKinds.DeviceRemoved));

        AuditPage page = await Store.ListAsync(Any, before: null, 3, default);

        page.Next.ShouldBeNull();
        page.Items.Select(e => e.Kind).ShouldBe([AuditKinds.DeviceRemoved, AuditKinds.DeviceAutoApproved, AuditKinds.DeviceRefused]);
        page.Items[1].ShouldBe(whole with { Id = page.Items[1].Id });
        page.Items.Select(e => e.Id).ShouldBeInOrder(SortDirection.Descending);
        page.Items.Select(e => e.Id).ShouldBeUnique();
    }

    [Fact]
    public async Task A_batch_that_is_sent_twice_is_entered_once()
    {
        var first = new AuditBatch(_writer, 1, [Entry(AuditKinds.DeviceRefused, "1"), Entry(AuditKinds.DeviceRemoved, "2")]);
        var second = new AuditBatch(_writer, 2, [Entry(AuditKinds.DeviceRefused, "3")]);
        foreach (AuditBatch batch in new[] { first, first, second, second, first })
            await Store.AppendAsync(batch, default);
        await Store.AppendAsync(new AuditBatch("another", 1, [Entry(AuditKinds.DeviceRefused, "4")]), default);

        (await Store.ReadAfterAsync(0, 10, default)).Items.Select(e => e.Reason).ShouldBe(["1", "2", "3", "4"]);
    }

    [Fact]
    public async Task A_filter_holds_on_every_page()
    {
        DeviceId[] devices = [Some.Claim().Device, Some.Claim().Device];
        string[] kinds = [AuditKinds.DeviceRefused, AuditKinds.DeviceAdmitted, AuditKinds.GrantChanged];
        string?[] operators = ["ops", "eve", null];
        AuditEntry[] entries = [.. Enumerable.Range(0, 150).Select(i => Entry(kinds[i % 3], $"{i}") with { DeviceId = devices[i % 2], Operator = operators[i / 3 % 3], Audience = i % 5 < 2 ? Audience.Parse("agent") : Audience.Default })];
        await AppendAsync(entries);

        foreach (AuditFilter filter in new AuditFilter[]
        {
            Any, new(Kind: kinds[1]), new(Device: devices[0]), new(Operator: "ops"), new(kinds[2], devices[1], "eve"), new(Operator: "nobody"),
            new() { Audience = Audience.Parse("agent") }, new() { Audience = Audience.Default }, new(Device: devices[0]) { Audience = Audience.Parse("agent") },
        })
        {
            List<AuditEntry> listed = await ListAllAsync(filter, pageSize: 7);
            listed.Select(e => e.Reason).ShouldBe(entries.Where(filter.Matches).Reverse().Select(e => e.Reason), filter.ToString());
        }
    }

    [Fact]
    public async Task Pages_have_each_entry_once_while_others_write()
    {
        await AppendAsync([.. Enumerable.Range(0, 120).Select(i => Entry(KindOf(i), $"{i}"))]);
        using var done = new CancellationTokenSource();
        Task writer = Task.Run(async () =>
        {
            for (int i = 0; i < 200 && !done.IsCancellationRequested; i++)
                await Store.AppendAsync(new AuditBatch("another", i + 1, [Entry(KindOf(i), "later")]), default);
        });

        List<AuditEntry> listed = await ListAllAsync(Any, pageSize: 3);
        await done.CancelAsync();
        await writer;

        listed.Select(e => e.Id).ShouldBeInOrder(SortDirection.Descending);
        listed.Select(e => e.Id).ShouldBeUnique();
        listed.Where(e => e.Reason != "later").Select(e => e.Reason).ShouldBe(Enumerable.Range(0, 120).Reverse().Select(i => $"{i}"));
    }

    [Fact]
    public async Task A_reader_that_continues_misses_no_entry_and_gets_none_twice()
    {
        IAuditStore[] stores = [Store, await OpenAnotherAsync(Kept)];
        Task[] writers = [.. stores.Select((store, writer) => Task.Run(async () =>
        {
            for (int i = 0; i < 60; i++)
                await store.AppendAsync(new AuditBatch($"writer{writer}", i + 1, [Entry(KindOf(i), $"{writer} {i}"), Entry(KindOf(i + 1), $"{writer} {i}+")]), default);
        }))];

        var read = new List<AuditEntry>();
        long last = 0;
        await Eventually.HoldsAsync(
            async () =>
            {
                IReadOnlyList<AuditEntry> more = (await Store.ReadAfterAsync(last, 10, default)).Items;
                more.Count.ShouldBeLessThanOrEqualTo(10);
                read.AddRange(more);
                last = more.Count > 0 ? more[^1].Id : last;
                return read.Count == 240;
            },
            "everything was read");
        await Task.WhenAll(writers);

        read.Select(e => e.Id).ShouldBeInOrder(SortDirection.Ascending);
        for (int writer = 0; writer < 2; writer++)
        {
            read.Where(e => e.Reason!.StartsWith($"{writer} ", StringComparison.Ordinal)).Select(e => e.Reason)
                .ShouldBe(Enumerable.Range(0, 60).SelectMany(i => new[] { $"{writer} {i}", $"{writer} {i}+" }));
        }

        (await Store.ReadAfterAsync(last, 10, default)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_flood_of_strangers_pushes_out_neither_operators_actions_nor_admissions()
    {
        await AppendAsync(Entry(AuditKinds.RequestApproved, "decided"), Entry(AuditKinds.DeviceAutoApproved, "got in"));
        for (int i = 0; i < 20; i++)
            await AppendAsync([.. Enumerable.Range(0, 250).Select(j => Entry(j % 2 == 0 ? AuditKinds.DeviceRefused : AuditKinds.RequestOpened, $"{i} {j}"))]);

        List<AuditEntry> all = await ListAllAsync(Any, pageSize: 500);

        int strangers = all.Count - 2;
        Output.WriteLine($"Of 5000 entries, {strangers} are kept (at least {Kept}).");
        strangers.ShouldBeInRange(Kept, Kept + 150);
        all[0].Reason.ShouldBe("19 249");
        all.TakeLast(2).Select(e => e.Reason).ShouldBe(["got in", "decided"]);
        (await Store.ReadAfterAsync(0, 2, default)).Items.Select(e => e.Reason).ShouldBe(["decided", "got in"]);
    }

    [Fact]
    public async Task A_device_that_reconnects_pushes_out_neither_its_pairing_by_a_rule_nor_operators_actions()
    {
        string[] changes = [AuditKinds.DeviceAutoApproved, AuditKinds.GrantExpired, AuditKinds.DeviceForgotten, AuditKinds.RequestCovered];
        await AppendAsync([Entry(AuditKinds.RequestApproved, "decided"), .. changes.Select(kind => Entry(kind, "changed"))]);
        for (int i = 0; i < 4; i++)
            await AppendAsync([.. Enumerable.Range(0, 83).SelectMany(_ => new[] { AuditKinds.DeviceAdmitted, AuditKinds.SessionOpened, AuditKinds.SessionClosed }).Select(kind => Entry(kind))]);

        List<AuditEntry> all = await ListAllAsync(Any, pageSize: 500);

        all.Count.ShouldBeInRange(Kept, Kept + 150, "some of the comings and goings are gone");
        all.TakeLast(5).Select(e => e.Kind).ShouldBe([.. changes.Reverse(), AuditKinds.RequestApproved]);
        foreach (string kind in changes)
            (await ListAllAsync(new AuditFilter(kind), pageSize: 10)).ShouldHaveSingleItem().Reason.ShouldBe("changed");
    }

    [Fact]
    public async Task A_reader_whose_position_is_no_longer_kept_hears_of_the_gap()
    {
        await AppendAsync(Entry(AuditKinds.DeviceRefused, "first"));
        AuditRange all = await Store.ReadAfterAsync(0, 10, default);
        all.IsComplete.ShouldBeTrue();
        long first = all.Items.ShouldHaveSingleItem().Id;
        for (int i = 0; i < 20; i++)
            await AppendAsync([.. Enumerable.Range(0, 250).Select(j => Entry(AuditKinds.DeviceRefused, $"{i} {j}"))]);
        await AppendAsync(Entry(AuditKinds.RequestApproved, "decided"));

        AuditRange stretch = await Store.ReadAfterAsync(first, 10, default);
        stretch.IsComplete.ShouldBeFalse();
        (await Store.ReadAfterAsync(stretch.Items[^1].Id, 10, default)).IsComplete.ShouldBeTrue();
        AuditEntry newest = (await Store.ListAsync(Any, before: null, 1, default)).Items.ShouldHaveSingleItem();
        stretch = await Store.ReadAfterAsync(newest.Id, 10, default);
        (stretch.Items.Count, stretch.IsComplete).ShouldBe((0, true));
    }

    [Fact]
    public async Task A_history_has_a_bound_in_bytes_for_entries_of_any_size()
    {
        const int Bytes = 200_000;
        IAuditStore store = await OpenAsync(kept: 1_000_000, Bytes);
        await store.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.RequestApproved, "decided"), Entry(AuditKinds.DeviceAutoApproved, "got in")]), default);
        for (int i = 0; i < 20; i++)
        {
            string reason = new('x', i < 10 ? 10 : 900); // small ones first, so that the size of the oldest does not predict the rest
            await store.AppendAsync(new AuditBatch("w", i + 2, [.. Enumerable.Range(0, 100).Select(_ => Entry(AuditKinds.DeviceRefused, reason))]), default);
        }

        List<AuditEntry> all = await ListAllAsync(store, Any, pageSize: 200);
        int bytes = all.Where(e => e.Kind == AuditKinds.DeviceRefused).Sum(e => AuditDocument.Serialize(e with { Id = 0 }).Length);
        Output.WriteLine($"{all.Count - 2} entries with {bytes} bytes are kept.");
        bytes.ShouldBeInRange((int)(Bytes * 0.9), Bytes);
        all.TakeLast(2).Select(e => e.Reason).ShouldBe(["got in", "decided"]);
        (await store.ReadAfterAsync(0, 10, default)).IsComplete.ShouldBeFalse("some were dropped, though there are fewer than may be");
    }

    [Fact]
    public async Task A_page_reads_a_bounded_number_of_entries_and_the_next_page_continues()
    {
        IAuditStore store = await OpenAsync(kept: 1_000_000);
        DeviceId device = Some.Claim().Device;
        await store.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRemoved, "oldest") with { DeviceId = device, Operator = "ops" }]), default);
        for (int i = 0; i < 9; i++)
        {
            AuditEntry[] others = [.. Enumerable.Repeat(Entry(AuditKinds.DeviceLabelled) with { DeviceId = device, Operator = "ops" }, 1000)];
            await store.AppendAsync(new AuditBatch("w", i + 2, others), default);
        }

        var filter = new AuditFilter(AuditKinds.DeviceRemoved, device, "ops");
        AuditPage first = await store.ListAsync(filter, before: null, 50, default);
        if (MostReadForPage is not null)
            (first.Items.Count, first.Next is null).ShouldBe((0, false), "it stopped before it had read all");
        int pages = 1;
        AuditPage page = first;
        for (; page.Next is { } next; pages++)
            page = await store.ListAsync(filter, next, 50, default);

        page.Items.ShouldHaveSingleItem().Reason.ShouldBe("oldest");
        pages.ShouldBe(MostReadForPage is { } most ? (9001 + most - 1) / most : 1);
    }

    /// <summary>How many entries are read for a page at most; null if as many as are needed to fill it.</summary>
    protected abstract int? MostReadForPage { get; }

    /// <summary>Opens a store on the test's registry. The first is empty.</summary>
    /// <param name="kept">How many entries of each source it keeps.</param>
    /// <param name="bytes">How many bytes the documents of each source's entries have together at most.</param>
    protected abstract Task<IAuditStore> OpenAsync(int kept, int bytes = 64 * 1024 * 1024);

    /// <summary>Opens another store on the same registry; the same store if there can be only one.</summary>
    /// <param name="kept">How many entries of each source it keeps.</param>
    protected abstract Task<IAuditStore> OpenAnotherAsync(int kept);

    /// <summary>A small entry.</summary>
    protected static AuditEntry Entry(string kind, string? reason = null) => new() { Kind = kind, Reason = reason };

    /// <summary>Appends entries as one batch.</summary>
    protected Task AppendAsync(params AuditEntry[] entries) =>
        Store.AppendAsync(new AuditBatch(_writer, ++_number, entries), default).AsTask();

    /// <summary>Every entry that matches, by pages.</summary>
    protected Task<List<AuditEntry>> ListAllAsync(AuditFilter filter, int pageSize) => ListAllAsync(Store, filter, pageSize);

    private static async Task<List<AuditEntry>> ListAllAsync(IAuditStore store, AuditFilter filter, int pageSize)
    {
        var listed = new List<AuditEntry>();
        long? before = null;
        do
        {
            AuditPage page = await store.ListAsync(filter, before, pageSize, default);
            page.Items.Count.ShouldBeLessThanOrEqualTo(pageSize);
            listed.AddRange(page.Items);
            before = page.Next;
        }
        while (before is not null);

        return listed;
    }

    private static string KindOf(int i) => AuditKinds.All.ElementAt(i % AuditKinds.All.Count);
}
