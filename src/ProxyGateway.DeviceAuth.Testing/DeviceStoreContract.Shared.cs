using System.Text;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

public abstract partial class DeviceStoreContract
{
    /// <summary>Whether the store is an <see cref="ISharedDocumentStore"/>. False: tests about documents that gateways share are skipped.</summary>
    protected virtual bool KeepsSharedDocuments => true;

    private ISharedDocumentStore Shared => (ISharedDocumentStore)Store;

    [Fact]
    public async Task A_shared_document_is_read_back_whole()
    {
        if (!KeepsSharedDocuments)
            return;
        byte[] content = [.. Enumerable.Range(0, SharedDocument.MaxBytes).Select(i => (byte)i)]; // line feeds and zeros as well
        SharedDocuments before = await Shared.ListAsync("keys", None);
        before.Items.ShouldBeEmpty();
        (before.Now - await NowAsync()).Duration().ShouldBeLessThan(TimeSpan.FromMinutes(1));
        var written = new SharedDocument("keys", "One_of-them", content, before.Now.AddMinutes(1));

        (await Shared.SwapAsync(previousVersion: null, written, None)).ShouldBeTrue();
        (await Shared.SwapAsync(previousVersion: null, Document("empty", "", before.Now), None)).ShouldBeTrue();

        SharedDocument read = (await Shared.ListAsync("keys", None)).Items.Single(d => d.Name == "One_of-them");
        (read.Group, read.Version).ShouldBe(("keys", written.Version));
        read.ExpiresAt.ShouldBe(written.ExpiresAt, TimeSpan.FromMilliseconds(1));
        read.Content.ToArray().ShouldBe(content);
        (await Shared.ListAsync("keys", None)).Items.Single(d => d.Name == "empty").Content.Length.ShouldBe(0);
    }

    [Fact]
    public async Task A_swap_of_a_shared_document_needs_the_version_that_is_there()
    {
        if (!KeepsSharedDocuments)
            return;
        DateTimeOffset now = await NowAsync();
        SharedDocument first = Document("a", "first", now);
        SharedDocument second = Document("a", "second", now);
        (await Shared.SwapAsync(first.Version, second, None)).ShouldBeFalse("there is none to replace");

        (await Shared.SwapAsync(previousVersion: null, first, None)).ShouldBeTrue();
        (await Shared.SwapAsync(previousVersion: null, second, None)).ShouldBeFalse("there is one already");
        (await Shared.SwapAsync(second.Version, second, None)).ShouldBeFalse("it has another version");
        (await Shared.SwapAsync(first.Version[..^1], second, None)).ShouldBeFalse("a part of the version is not the version");
        (await Shared.SwapAsync("", second, None)).ShouldBeFalse("a part of the version is not the version");
        (await Shared.SwapAsync(first.Version, second, None)).ShouldBeTrue();
        (await Shared.SwapAsync(first.Version, second, None)).ShouldBeFalse("it was replaced already");

        Text((await Shared.ListAsync("keys", None)).Items.ShouldHaveSingleItem()).ShouldBe("second");
    }

    [Fact]
    public async Task Shared_documents_of_other_names_and_groups_are_others()
    {
        if (!KeepsSharedDocuments)
            return;
        DateTimeOffset now = await NowAsync();
        await Shared.SwapAsync(previousVersion: null, Document("a", "of a", now), None);
        await Shared.SwapAsync(previousVersion: null, Document("aa", "of aa", now), None);
        await Shared.SwapAsync(previousVersion: null, new SharedDocument("other", "a", "of another group"u8.ToArray(), now.AddMinutes(1)), None);

        (await Shared.ListAsync("keys", None)).Items.Select(Text).ShouldBe(["of a", "of aa"], ignoreOrder: true);
        (await Shared.ListAsync("other", None)).Items.Select(Text).ShouldBe(["of another group"]);
        (await Shared.ListAsync("oth", None)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_shared_document_expires_by_the_stores_time()
    {
        if (!KeepsSharedDocuments)
            return;
        DateTimeOffset now = await NowAsync();
        var brief = new SharedDocument("keys", "brief", "1"u8.ToArray(), now.AddMilliseconds(300));
        await Shared.SwapAsync(previousVersion: null, brief, None);
        await Shared.SwapAsync(previousVersion: null, Document("lasting", "2", now), None);

        await PassAsync(now.AddMilliseconds(310));

        (await Shared.ListAsync("keys", None)).Items.Select(d => d.Name).ShouldBe(["lasting"]);
        (await Shared.SwapAsync(brief.Version, Document("brief", "3", now), None)).ShouldBeFalse("what has expired is absent");
        (await Shared.SwapAsync(previousVersion: null, Document("brief", "3", now), None)).ShouldBeTrue();
    }

    [Fact]
    public async Task One_of_many_swaps_of_a_shared_document_at_once_succeeds()
    {
        if (!KeepsSharedDocuments)
            return;
        DateTimeOffset now = await NowAsync();
        string? version = null;
        for (int round = 0; round < 3; round++)
        {
            SharedDocument[] candidates = [.. Enumerable.Range(0, 32).Select(i => Document("a", $"{i}", now))];

            bool[] swapped = await Task.WhenAll(candidates.Select(c => Task.Run(async () => await Shared.SwapAsync(version, c, None))));

            SharedDocument winner = candidates.Zip(swapped).Where(c => c.Second).ShouldHaveSingleItem().First;
            version = (await Shared.ListAsync("keys", None)).Items.ShouldHaveSingleItem().Version;
            version.ShouldBe(winner.Version);
        }
    }

    [Fact]
    public async Task A_group_of_shared_documents_is_bounded()
    {
        if (!KeepsSharedDocuments)
            return;
        DateTimeOffset now = await NowAsync();
        for (int i = 0; i < SharedDocument.MaxInGroup; i++)
            (await Shared.SwapAsync(previousVersion: null, Document($"{i}", "1", now), None)).ShouldBeTrue();
        SharedDocument one = (await Shared.ListAsync("keys", None)).Items[0];

        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Shared.SwapAsync(previousVersion: null, Document("more", "1", now), None));
        (await Shared.ListAsync("keys", None)).Items.Count.ShouldBe(SharedDocument.MaxInGroup);
        (await Shared.SwapAsync(previousVersion: null, new SharedDocument("other", "a", "1"u8.ToArray(), now.AddMinutes(1)), None)).ShouldBeTrue("another group has its own room");
        DateTimeOffset end = await NowAsync() + TimeSpan.FromMilliseconds(300);
        (await Shared.SwapAsync(one.Version, new SharedDocument("keys", one.Name, "2"u8.ToArray(), end), None)).ShouldBeTrue("a document that is replaced needs no room");

        await PassAsync(end.AddMilliseconds(10));
        (await Shared.SwapAsync(previousVersion: null, Document("more", "1", now), None)).ShouldBeTrue("what has expired takes no room");
    }

    private static SharedDocument Document(string name, string text, DateTimeOffset now) => new("keys", name, Encoding.UTF8.GetBytes(text), now.AddMinutes(5));

    private static string Text(SharedDocument document) => Encoding.UTF8.GetString(document.Content.Span);
}
