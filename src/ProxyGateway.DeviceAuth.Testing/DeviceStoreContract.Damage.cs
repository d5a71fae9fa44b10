using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

public abstract partial class DeviceStoreContract
{
    private readonly ConcurrentQueue<string> _warnings = [];

    /// <summary>Whether a test can damage the store's data: bytes, rows, keys. False: tests about damage are skipped.</summary>
    protected virtual bool CanBeDamaged => true;

    public static TheoryData<DocumentDamage> Damages =>
        [.. Enum.GetValues<DocumentDamage>().Where(damage => damage != DocumentDamage.NewerFormat)];

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_damaged_document_affects_only_its_device(DocumentDamage damage)
    {
        if (!CanBeDamaged)
            return;
        DeviceClaim[] claims = [Some.Claim(), Some.Claim(), Some.Claim()];
        Array.Sort(claims, (a, b) => string.CompareOrdinal(a.Device.ToString(), b.Device.ToString()));
        foreach (DeviceClaim claim in claims)
        {
            await PairAsync(claim);
            await AskAsync(claim.Asking("node"), Some.Rules);
        }

        DeviceId damaged = claims[1].Device;
        Func<Task> repairAsync = await DamageAsync(damaged, damage);

        DamagedDocumentException failure = await Should.ThrowAsync<DamagedDocumentException>(
            async () => await Registry.AdmitAsync(claims[1], Some.Loopback, Some.Rules with { Policy = PairingPolicy.Default }, None));
        failure.Message.ShouldContain(damaged.ToString());
        (await Registry.AdmitAsync(claims[0], Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();

        (await ListDevicesAsync(pageSize: 1)).ShouldBe([claims[0].Device, claims[2].Device], "a page goes on behind what it leaves out");
        _warnings.ShouldContain(text => text.Contains(damaged.ToString()));
        _warnings.Clear();
        (await ListOpenAsync(pageSize: 1)).Count.ShouldBe(2);
        _warnings.ShouldContain(text => text.Contains(damaged.ToString()));

        await repairAsync();
        (await Registry.AdmitAsync(claims[1], Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await ListDevicesAsync(pageSize: 10)).ShouldBe(claims.Select(c => c.Device), "nothing was taken for gone");
        (await ListOpenAsync(pageSize: 10)).Count.ShouldBe(3);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_damaged_device_is_removed_like_any_other(DocumentDamage damage)
    {
        if (!CanBeDamaged)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await PairAsync(claim);
        DeviceRecord stale = (await Store.GetAsync(claim.Device, None)).Record!;
        await AskAsync(claim.Asking("node"), Some.Rules, "192.0.2.1");
        await DamageAsync(claim.Device, damage);
        var changed = new List<DeviceRecord>();
        Registry.Changed += (record, _) => changed.Add(record);

        (await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();

        changed.ShouldHaveSingleItem().Id.ShouldBe(claim.Device); // or its sessions would stay open
        (await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeFalse("it is removed");
        (await ListDevicesAsync(pageSize: 10)).ShouldBeEmpty();
        (await ListOpenAsync(pageSize: 10)).ShouldBeEmpty();
        (await PutAsync(stale, stale)).ShouldBe(SwapResult.Conflict, "what was read before does not come back");
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        Admission again = await Registry.AdmitAsync(claim, Some.Loopback, silent, None);
        RequestId request = again.ShouldBeOfType<Admission.Refused>("no rule pairs it again").Request.Id;
        DeviceRecord paired = (await Registry.ApproveAsync(request, scopes: null, Some.Operator, silent, None))!.Record;
        paired.PublicKey.ShouldBe(claim.PublicKey);
        (await ListDevicesAsync(pageSize: 10)).ShouldBe([claim.Device]);
    }

    [Fact]
    public async Task Only_a_damaged_document_is_replaced_as_damaged()
    {
        if (!CanBeDamaged)
            return;
        DateTimeOffset now = await NowAsync();
        DeviceRecord record = Some.Paired(Some.Claim(), now);
        DeviceRecord mark = Transitions.RemoveDamaged(record.Id, Some.Operator, now, Some.Lifetimes) with { Version = Some.Version() };
        var swap = new DeviceSwap(Previous: null, mark, now.AddDays(1), PendingLimits.None) { ReplacesDamage = true };
        (await Store.SwapAsync(swap, None)).ShouldBe(SwapResult.Conflict, "nothing is there");
        await PutAsync(previous: null, record);
        (await Store.SwapAsync(swap, None)).ShouldBe(SwapResult.Conflict, "it can be read");

        Func<Task> repairAsync = await DamageAsync(record.Id, DocumentDamage.NotJson);
        (await PutAsync(previous: null, record)).ShouldBe(SwapResult.Conflict, "a damaged document is not none");
        await repairAsync();
        (await Store.GetAsync(record.Id, None)).Record!.Version.ShouldBe(record.Version);
        await DamageAsync(record.Id, DocumentDamage.NotJson);
        (await Store.SwapAsync(swap, None)).ShouldBe(SwapResult.Swapped);
        (await Store.SwapAsync(swap, None)).ShouldBe(SwapResult.Conflict, "it is damaged no longer");
    }

    [Fact]
    public async Task A_document_of_a_newer_format_is_listed_as_such_and_never_replaced()
    {
        if (!CanBeDamaged)
            return;
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        DeviceClaim other = Some.Claim();
        await PairAsync(claim);
        await PairAsync(other);
        await AskAsync(claim.Asking("node"), Some.Rules);
        DeviceRecord record = (await Store.GetAsync(claim.Device, None)).Record!;
        DeviceRecord mark = Transitions.RemoveDamaged(record.Id, Some.Operator, await NowAsync(), Some.Lifetimes) with { Version = Some.Version() };

        Func<Task> repairAsync = await DamageAsync(claim.Device, DocumentDamage.NewerFormat);

        var newer = new NewerDocument(claim.Device, DeviceDocument.Format + 1, record.Version);
        (await Store.GetAsync(claim.Device, None)).Damage.ShouldBeOfType<NewerDocumentException>().Document.ShouldBe(newer);
        (await Store.ListDevicesAsync(cursor: null, 10, None)).ShouldSatisfyAllConditions(
            page => page.Items.ShouldHaveSingleItem().Id.ShouldBe(other.Device), page => page.Newer.ShouldBe([newer]));
        (await Store.ListOpenRequestsAsync(cursor: null, 10, None)).ShouldSatisfyAllConditions(
            page => page.Items.ShouldBeEmpty(), page => page.Newer.ShouldBe([newer]));
        (await Store.GetVersionsAsync([claim.Device], None))[claim.Device].ShouldBe(record.Version, "its sessions are checked");
        await Should.ThrowAsync<NewerDocumentException>(async () => await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None));
        (await Store.SwapAsync(new DeviceSwap(Previous: null, mark, ExpiresAt: null, PendingLimits.None) { ReplacesDamage = true }, None))
            .ShouldBe(SwapResult.Conflict, "it is not damaged");
        (await PutAsync(previous: null, mark)).ShouldBe(SwapResult.Conflict, "it is there");

        await repairAsync();
        (await Registry.AdmitAsync(claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
    }

    /// <summary>Damages the document of a device without the store's knowledge. The returned function repairs it.</summary>
    /// <param name="id">The device, which has a document.</param>
    /// <param name="damage">The damage; <see cref="Damaged"/> applies most kinds to a document's text.</param>
    protected virtual Task<Func<Task>> DamageAsync(DeviceId id, DocumentDamage damage) =>
        throw new NotSupportedException($"Override {nameof(DamageAsync)}, or {nameof(CanBeDamaged)} if nothing of the store can be damaged.");

    /// <summary>A logger for the store. The contract looks for warnings there.</summary>
    protected ILogger<T> LoggerOf<T>() => new LoggerFactory([new WarningLog(_warnings)]).CreateLogger<T>();

    /// <summary>The document, damaged; null for <see cref="DocumentDamage.ForeignValue"/>, which the store's test must make.</summary>
    /// <param name="document">The document before (<see cref="DeviceDocument"/>).</param>
    /// <param name="damage">The damage.</param>
    protected static string? Damaged(string document, DocumentDamage damage) => damage switch
    {
        DocumentDamage.NotJson => document[..^1],
        DocumentDamage.Null => "null",
        DocumentDamage.AnotherVersion => document.Replace("\"version\":\"", "\"version\":\"0", StringComparison.Ordinal),
        DocumentDamage.AnotherDevice => System.Text.Encoding.UTF8.GetString(DeviceDocument.Serialize(Some.Paired(Some.Claim(), DateTimeOffset.UtcNow))),
        DocumentDamage.NewerFormat => $"{{\"format\":{DeviceDocument.Format + 1},{document[1..]}",
        DocumentDamage.NullGrant => document.Replace("\"grants\":{", "\"grants\":{\"a\":null,", StringComparison.Ordinal),
        DocumentDamage.NullRequest => document.Replace("\"requests\":[", "\"requests\":[null,", StringComparison.Ordinal),
        _ => null,
    };

    private async Task<List<DeviceId>> ListDevicesAsync(int pageSize)
    {
        var listed = new List<DeviceId>();
        string? cursor = null;
        do
        {
            PagedResult<DeviceRecord> page = await Store.ListDevicesAsync(cursor, pageSize, None);
            listed.AddRange(page.Items.Select(d => d.Id));
            cursor = page.Next;
        }
        while (cursor is not null);

        return listed;
    }

    private sealed class WarningLog(ConcurrentQueue<string> texts) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                texts.Enqueue(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
