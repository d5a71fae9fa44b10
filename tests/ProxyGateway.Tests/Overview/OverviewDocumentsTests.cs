using System.Text;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Overview;

/// <summary>What gateways tell each other of their counts: bounded, gone by itself, and no gateway breaks another's overview.</summary>
public sealed class OverviewDocumentsTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Ten = new(2026, 12, 1, 10, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Ten);
    private readonly InMemoryDeviceStore _store;
    private readonly OverviewDocuments _here;
    private readonly OverviewDocuments _there;

    public OverviewDocumentsTests()
    {
        _store = new InMemoryDeviceStore(_time);
        (_here, _there) = (new OverviewDocuments(_time, _store), new OverviewDocuments(_time, _store));
    }

    private long Hour => OverviewRing.NumberAt(_time.GetUtcNow()) / OverviewRing.PerHour;

    private string Group => $"overview-{Hour % OverviewRing.Hours}";

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_gateway_reads_what_the_others_have_written_and_not_its_own()
    {
        await WriteAsync(_here, admissions: 1);
        await WriteAsync(_there, admissions: 2);
        await WriteAsync(_there, admissions: 3);

        StoredOverview read = (await _here.ReadAsync(Hour, Hour, default)).ShouldHaveSingleItem().Counted;
        read.Buckets.ShouldHaveSingleItem().Admissions.ShouldBe(3);
        (read.Gateway, read.WrittenAt, read.Sessions).ShouldBe((Environment.MachineName, Ten, 5));
        (await _store.ListAsync(Group, default)).Items.Count.ShouldBe(2, "each has one document of the hour");
    }

    [Fact]
    public async Task A_process_that_has_ended_counts_until_its_hour_is_a_day_old()
    {
        _time.Advance(TimeSpan.FromMinutes(59));
        long hour = Hour;
        await WriteAsync(_there, admissions: 2);

        _time.Advance(TimeSpan.FromHours(24));
        (await _here.ReadAsync(hour, Hour, default)).Count.ShouldBe(1);
        _time.Advance(TimeSpan.FromMinutes(1));
        (await _here.ReadAsync(Hour - 24, Hour, default)).ShouldBeEmpty();
        (await _store.ListAsync($"overview-{hour % OverviewRing.Hours}", default)).Items.ShouldBeEmpty();
    }

    /// <summary>A gateway whose clock is a year ahead leaves nothing behind for a year.</summary>
    [Theory]
    [InlineData(365)]
    [InlineData(-365)]
    public async Task The_registry_forgets_a_document_by_its_own_clock(int days)
    {
        var wrong = new FakeTimeProvider(Ten.AddDays(days));
        long hour = OverviewRing.NumberAt(Ten.AddDays(days)) / OverviewRing.PerHour;
        var counts = new OverviewCounts { Admissions = 1 };

        await new OverviewDocuments(wrong, _store).WriteAsync(hour, [(hour * OverviewRing.PerHour, counts)], 0, isLast: false, default);

        SharedDocument document = (await _store.ListAsync($"overview-{hour % OverviewRing.Hours}", default)).Items.ShouldHaveSingleItem();
        document.ExpiresAt.ShouldBe(Ten.AddHours(25));
        (await _here.ReadAsync(Hour - 24, Hour, default)).ShouldBeEmpty("no hour of it is in the last day");
    }

    [Fact]
    public async Task The_largest_document_fits()
    {
        var most = new OverviewCounts
        {
            Admissions = long.MaxValue,
            RequestsOpened = long.MaxValue,
            Sessions = long.MaxValue,
            OpenRequests = OverviewSampler.MostRequests,
            Looks = long.MaxValue,
            FailedLooks = long.MaxValue,
            SlowestMilliseconds = int.MaxValue,
        };
        Array.Fill(most.Refusals, long.MaxValue);

        await _there.WriteAsync(Hour, Enumerable.Range(0, OverviewRing.PerHour).Select(i => ((Hour * OverviewRing.PerHour) + i, most)), int.MaxValue, isLast: true, default);

        SharedDocument document = (await _store.ListAsync(Group, default)).Items.ShouldHaveSingleItem();
        document.Content.Length.ShouldBeInRange(2048, SharedDocument.MaxBytes - (2 * StoredOverview.MaxGateway));
        OverviewCounts read = OverviewCounts.Of((await _here.ReadAsync(Hour, Hour, default)).Single().Counted.Buckets[11]);
        read.Refusals.ShouldAllBe(n => n == OverviewCounts.Most);
    }

    [Fact]
    public async Task Members_and_reasons_of_a_newer_gateway_do_no_harm_and_are_not_lost()
    {
        string zeros = string.Join(',', RefusalReasons.All.Select(_ => "1"));
        await PutAsync("newer-1", $$"""{"hour":{{Hour}},"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","new":{"x":1},"buckets":[{"n":{{Hour * 12}},"in":4,"no":[{{zeros}},5,6],"new":7}]}""");
        await WriteAsync(_here, admissions: 1);

        OverviewCounts counts = OverviewCounts.Of((await _here.ReadAsync(Hour, Hour, default)).ShouldHaveSingleItem().Counted.Buckets.ShouldHaveSingleItem());
        counts.Admissions.ShouldBe(4);
        counts.Refusals[^1].ShouldBe(12, "reasons that this gateway does not know are others");
        counts.Refusals.Sum().ShouldBe(RefusalReasons.All.Length + 11);
        Encoding.UTF8.GetString((await _store.ListAsync(Group, default)).Items.Single(d => d.Name == "newer-1").Content.Span).ShouldContain("\"new\":7");
    }

    // Else 4 KiB of the smallest buckets would be hundreds of objects, in each of thousands of documents.
    [Fact]
    public async Task A_document_with_more_buckets_than_its_hour_has_is_left_out()
    {
        string many = string.Join(',', Enumerable.Repeat($$"""{"n":{{Hour * 12}}}""", OverviewRing.PerHour + 1));
        await PutAsync("other-1", $$"""{"hour":{{Hour}},"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","buckets":[{{many}}]}""");

        (await _here.ReadAsync(Hour, Hour, default)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"hour":HOUR,"gateway":"n","writtenAt":"2026-12-01T10:00:00Z"}""")]
    [InlineData("""{"hour":HOUR,"gateway":null,"writtenAt":"2026-12-01T10:00:00Z","buckets":[]}""")]
    [InlineData("""{"hour":HOUR,"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","buckets":[null]}""")]
    [InlineData("""{"hour":HOUR,"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","buckets":[{"n":1,"in":1}]}""")]
    [InlineData("""{"hour":1,"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","buckets":[]}""")]
    public async Task A_document_that_is_none_is_left_out(string content)
    {
        await PutAsync("damaged-1", content.Replace("HOUR", $"{Hour}", StringComparison.Ordinal));
        await WriteAsync(_there, admissions: 2);

        (await _here.ReadAsync(Hour, Hour, default)).ShouldHaveSingleItem().Counted.Buckets.Single().Admissions.ShouldBe(2);
    }

    [Fact]
    public async Task Negative_counts_count_nothing()
    {
        await PutAsync("other-1", $$"""{"hour":{{Hour}},"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","buckets":[{"n":{{Hour * 12}},"in":-5,"no":[-1],"live":-1,"open":-1}]}""");

        OverviewCounts counts = OverviewCounts.Of((await _here.ReadAsync(Hour, Hour, default)).Single().Counted.Buckets[0]);
        (counts.Admissions, counts.Refusals.Sum(), counts.Sessions, counts.OpenRequests).ShouldBe((0, 0, 0, 0));
    }

    [Fact]
    public async Task A_document_that_the_registry_has_lost_is_written_again()
    {
        await WriteAsync(_there, admissions: 1);
        string name = (await _store.ListAsync(Group, default)).Items.Single().Name;
        await PutAsync(name, "{}", (await _store.ListAsync(Group, default)).Items.Single().Version); // a failover brought an older one back

        await WriteAsync(_there, admissions: 2);

        (await _here.ReadAsync(Hour, Hour, default)).Single().Counted.Buckets[0].Admissions.ShouldBe(2);
    }

    [Fact]
    public async Task However_often_operators_ask_the_registry_is_read_once_in_two_seconds()
    {
        (await _here.ReadAsync(Hour, Hour, default)).ShouldBeEmpty();
        await WriteAsync(_there, admissions: 1);
        (await _here.ReadAsync(Hour, Hour, default)).ShouldBeEmpty();

        _time.Advance(TimeSpan.FromSeconds(2));

        (await _here.ReadAsync(Hour, Hour, default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Without_the_registry_the_caller_hears_of_it_and_afterwards_reads_again()
    {
        await WriteAsync(_there, admissions: 1);
        _store.IsAvailable = false;
        await Should.ThrowAsync<RegistryUnavailableException>(() => _here.ReadAsync(Hour - 5, Hour, default));
        await Should.ThrowAsync<RegistryUnavailableException>(() => WriteAsync(_there, admissions: 2));
        _store.IsAvailable = true;
        _time.Advance(TimeSpan.FromSeconds(2));

        await WriteAsync(_there, admissions: 3);
        (await _here.ReadAsync(Hour - 5, Hour, default)).Single().Counted.Buckets[0].Admissions.ShouldBe(3);
    }

    [Fact]
    public async Task A_store_that_keeps_no_such_documents_is_like_one_that_is_away()
    {
        var alone = new OverviewDocuments(_time, store: null);
        alone.AreKept.ShouldBeFalse();
        await Should.ThrowAsync<RegistryUnavailableException>(() => alone.ReadAsync(Hour, Hour, default));
    }

    private Task WriteAsync(OverviewDocuments documents, long admissions) =>
        documents.WriteAsync(Hour, [(Hour * OverviewRing.PerHour, new OverviewCounts { Admissions = admissions })], sessions: 5, isLast: false, default);

    private async Task PutAsync(string name, string content, string? version = null) =>
        (await _store.SwapAsync(version, new SharedDocument(Group, name, Encoding.UTF8.GetBytes(content), _time.GetUtcNow().AddHours(1)), default)).ShouldBeTrue();
}
