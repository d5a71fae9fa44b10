using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>The keys of nonces: one set for all gateways of a registry, renewed daily, read again at a bounded rate.</summary>
public sealed class ProofNonceKeysTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly InMemoryDeviceStore _registry;
    private readonly CountedStore _store;

    public ProofNonceKeysTests()
    {
        _registry = new InMemoryDeviceStore(_time);
        _store = new CountedStore(_registry);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Fact]
    public async Task Gateways_of_a_registry_have_the_same_keys_and_keep_them_over_a_restart()
    {
        NonceKey key = (await CurrentAsync(Gateway()))!;
        ProofNonceKeys other = Gateway();

        key.Secret.Length.ShouldBe(32);
        Same(await CurrentAsync(other), key);
        Same(await other.FindAsync(key.Id, None), key);
        (await other.FindAsync((byte)(key.Id + 1), None)).ShouldBeNull();
    }

    [Fact]
    public async Task Nothing_is_in_the_registry_before_somebody_asks()
    {
        _ = Gateway();

        (await _registry.ListAsync(ProofNonceKeys.Group, None)).Items.ShouldBeEmpty();
        _store.Reads.ShouldBe(0);
    }

    [Fact]
    public async Task A_day_later_any_gateway_makes_a_new_key_and_the_last_one_still_counts_for_a_day()
    {
        ProofNonceKeys a = Gateway();
        ProofNonceKeys b = Gateway();
        NonceKey first = (await CurrentAsync(a))!;
        await CurrentAsync(b);
        _time.Advance(ProofNonceKeys.RotateAfter - TimeSpan.FromMilliseconds(1));
        Same(await CurrentAsync(b), first);

        _time.Advance(ProofNonceKeys.ReadAfter);
        NonceKey second = (await CurrentAsync(b))!;
        second.Id.ShouldBe((byte)(first.Id + 1));
        second.Secret.ShouldNotBe(first.Secret);
        Same(await b.FindAsync(first.Id, None), first);
        Same(await CurrentAsync(a), second);
        Same(await a.FindAsync(first.Id, None), first);

        _time.Advance(ProofNonceKeys.RotateAfter);
        (await CurrentAsync(a))!.Id.ShouldBe((byte)(first.Id + 2));
        Same(await a.FindAsync(second.Id, None), second);
        (await a.FindAsync(first.Id, None)).ShouldBeNull();
    }

    [Fact]
    public async Task Gateways_that_renew_at_once_end_with_the_same_key()
    {
        for (int round = 0; round < 3; round++)
        {
            ProofNonceKeys[] gateways = [.. Enumerable.Range(0, 8).Select(_ => Gateway())];
            _store.MeetBeforeSwap(gateways.Length);

            NonceKey?[] keys = await Task.WhenAll(gateways.Select(CurrentAsync));

            keys.ShouldAllBe(k => k!.Secret.SequenceEqual(keys[0]!.Secret) && k.Id == keys[0]!.Id);
            _time.Advance(ProofNonceKeys.RotateAfter);
        }
    }

    [Fact]
    public async Task An_unknown_id_reads_again_once_a_second_at_most()
    {
        ProofNonceKeys a = Gateway();
        NonceKey first = (await CurrentAsync(a))!;
        byte unknown = (byte)(first.Id + 1);
        _store.Reads = 0;

        for (int i = 0; i < 1000; i++)
            (await a.FindAsync((byte)(unknown + (i % 200)), None)).ShouldBeNull();
        _store.Reads.ShouldBe(0, "it was read within this second");
        _time.Advance(ProofNonceKeys.Pace);
        for (int i = 0; i < 1000; i++)
            (await a.FindAsync(unknown, None)).ShouldBeNull();
        _store.Reads.ShouldBe(1);
        for (int i = 0; i < 1000; i++)
            Same(await a.FindAsync(first.Id, None), first);
        _store.Reads.ShouldBe(1);
    }

    [Fact]
    public async Task A_key_that_another_gateway_has_just_made_is_found_by_its_id()
    {
        ProofNonceKeys a = Gateway();
        ProofNonceKeys b = Gateway();
        await CurrentAsync(a);
        _time.Advance(ProofNonceKeys.RotateAfter - TimeSpan.FromSeconds(10));
        await CurrentAsync(a);
        _time.Advance(TimeSpan.FromSeconds(10));
        NonceKey second = (await CurrentAsync(b))!;

        Same(await a.FindAsync(second.Id, None), second);
        Same(await CurrentAsync(a), second);
    }

    [Fact]
    public async Task Without_the_registry_there_is_no_key_and_those_that_are_known_stay()
    {
        _registry.IsAvailable = false;
        ProofNonceKeys a = Gateway();
        (await CurrentAsync(a)).ShouldBeNull();
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await a.FindAsync(0, None));
        _registry.IsAvailable = true;
        (await CurrentAsync(a)).ShouldBeNull("it asks once a second");
        _time.Advance(ProofNonceKeys.Pace);
        NonceKey key = (await CurrentAsync(a))!;

        _registry.IsAvailable = false;
        _time.Advance(ProofNonceKeys.RotateAfter);
        Same(await CurrentAsync(a), key);
        Same(await a.FindAsync(key.Id, None), key);
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await a.FindAsync((byte)(key.Id + 1), None));
    }

    [Fact]
    public async Task Without_a_store_for_them_there_is_no_key()
    {
        var keys = new ProofNonceKeys(_registry, _time, NullLogger<ProofNonceKeys>.Instance);

        (await CurrentAsync(keys)).ShouldBeNull();
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"current":null}""")]
    [InlineData("""{"current":{"id":1,"secret":"AAAA","madeAt":"2026-11-22T10:00:00+00:00"}}""")]
    public async Task A_damaged_document_is_replaced(string content)
    {
        var damaged = new SharedDocument(ProofNonceKeys.Group, ProofNonceKeys.Name, System.Text.Encoding.UTF8.GetBytes(content), _time.GetUtcNow().AddDays(1));
        await _registry.SwapAsync(previousVersion: null, damaged, None);

        NonceKey key = (await CurrentAsync(Gateway()))!;

        key.Secret.Length.ShouldBe(32);
        Same(await CurrentAsync(Gateway()), key);
    }

    [Fact]
    public async Task A_caller_that_leaves_does_not_stop_the_reading_of_others()
    {
        ProofNonceKeys a = Gateway();
        using var left = new CancellationTokenSource();
        await left.CancelAsync();
        _store.MeetBeforeSwap(2); // so that the reading goes on until another gateway reads

        await Should.ThrowAsync<OperationCanceledException>(async () => await a.RenewAsync(left.Token));

        NonceKey key = (await CurrentAsync(Gateway()))!;
        Same(await CurrentAsync(a), key);
    }

    [Fact]
    public async Task Nonces_of_a_process_whose_memory_is_gone_do_not_count_although_the_clock_was_behind_at_the_start()
    {
        NonceKey before = (await CurrentAsync(Gateway()))!;
        var behind = new FakeTimeProvider(_time.GetUtcNow() - TimeSpan.FromHours(1));
        await using var restarted = new InMemoryDeviceStore(behind);
        var keys = new ProofNonceKeys(restarted, behind, NullLogger<ProofNonceKeys>.Instance, _store); // the file is the same
        behind.SetUtcNow(_time.GetUtcNow() + TimeSpan.FromSeconds(60)); // and now it is right

        (await CurrentAsync(keys))!.Secret.ShouldNotBe(before.Secret);
        (await keys.FindAsync(before.Id, None))?.Secret.ShouldNotBe(before.Secret);
    }

    private ProofNonceKeys Gateway() => new(_registry, _time, NullLogger<ProofNonceKeys>.Instance, _store);

    // As a request does it; null if there is no key.
    private static async Task<NonceKey?> CurrentAsync(ProofNonceKeys keys)
    {
        await keys.RenewAsync(None);
        try
        {
            return keys.Current;
        }
        catch (RegistryUnavailableException)
        {
            return null;
        }
    }

    private static void Same(NonceKey? found, NonceKey expected)
    {
        found.ShouldNotBeNull().Id.ShouldBe(expected.Id);
        found.Secret.ShouldBe(expected.Secret);
    }

    /// <summary>Counts reads, and can make several gateways have read before the first of them writes.</summary>
    private sealed class CountedStore(ISharedDocumentStore inner) : ISharedDocumentStore
    {
        private TaskCompletionSource? _met;
        private int _expected;
        private int _reads;

        public int Reads
        {
            get => _reads;
            set => _reads = value;
        }

        public void MeetBeforeSwap(int gateways) => (_met, _expected) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), gateways);

        public ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return inner.ListAsync(group, cancellationToken);
        }

        public async ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken)
        {
            if (_met is { } met)
            {
                if (Interlocked.Decrement(ref _expected) == 0)
                    met.SetResult();
                await met.Task;
            }

            return await inner.SwapAsync(previousVersion, next, cancellationToken);
        }
    }
}
