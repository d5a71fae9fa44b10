using System.Collections.Immutable;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.Sessions;

/// <summary>What becomes of a request, as its client is told; and how many clients may wait.</summary>
public sealed class PairingWaitTests
{
    private static readonly DateTimeOffset Now = new(2026, 12, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly PairingPolicy Policy = new() { AutoApprove = [] };
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private readonly DeviceRecord _asked;
    private readonly PairingRequest _request;

    public PairingWaitTests()
    {
        Ask ask = Transitions.Ask(record: null, _claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Now, Some.Lifetimes);
        (_asked, _request) = (ask.Next, ask.Request!);
    }

    public static TheoryData<string, string?> Records => new()
    {
        { "asked", null },
        { "approved", "Approved" },
        { "approved in part", "Approved" },
        { "approved and revoked", "Approved" },
        { "granted together with another request", "Approved" },
        { "rejected", "Rejected" },
        { "blocked", "Rejected" },
        { "approved and blocked", "Approved" },
        { "removed", "Rejected" },
        { "expired", "Expired" },
        { "not there", "Superseded" },
        { "without the request", "Superseded" },
    };

    [Theory]
    [MemberData(nameof(Records))]
    public void A_record_says_what_became_of_the_request(string record, string? resolution)
    {
        using PairingWait wait = Enter(new PairingWaits(new DeviceRegistry(null!), new Settings(), TimeProvider.System))!;

        TimeSpan left = wait.Check(Make(record), record == "expired" ? _request.ExpiresAt : Now, Policy);

        wait.Resolution?.ToString().ShouldBe(resolution);
        wait.Over.IsCancellationRequested.ShouldBe(resolution is not null);
        if (resolution is null)
            left.ShouldBe(Some.Lifetimes.Request);
        else
            wait.Closing!.Reason.ShouldBe($"pairing {resolution.ToLowerInvariant()}");
    }

    [Fact]
    public void The_first_end_of_a_wait_counts()
    {
        using PairingWait wait = Enter(new PairingWaits(new DeviceRegistry(null!), new Settings(), TimeProvider.System))!;

        wait.End(Closing.Restarting);
        wait.Check(Make("approved"), Now, Policy);

        (wait.Closing, wait.Resolution).ShouldBe((Closing.Restarting, null));
    }

    [Fact]
    public void A_device_an_address_and_all_together_have_their_places()
    {
        var waits = new PairingWaits(new DeviceRegistry(null!), new Settings { Current = Limits(handshakes: 48, perAddress: 6) }, TimeProvider.System, () => 40);
        Client[] clients = [.. Enumerable.Range(1, 3).Select(i => new Client([new($"address {i}", 1), new("block", 2)], Host: 0))];

        var entered = new List<PairingWait>();
        while (Enter(waits, clients[0]) is { } wait)
            entered.Add(wait);
        entered.Count.ShouldBe(PairingWaits.MostPerDevice, "of a device");

        while (Enter(waits, clients[0], Some.Claim()) is { } wait)
            entered.Add(wait);
        entered.Count.ShouldBe(6, "of an address");

        while (Enter(waits, clients[1 + (entered.Count % 2)], Some.Claim()) is { } wait)
            entered.Add(wait);
        entered.Count.ShouldBe(10, "in all: a quarter of the handshakes");

        entered[0].Dispose();
        entered[0].Dispose();
        waits.Count.ShouldBe(9, "a place is given back once");
        entered.ForEach(wait => wait.Dispose());
        waits.Count.ShouldBe(0);
        Enter(waits, clients[0]).ShouldNotBeNull();
    }

    [Fact]
    public void A_block_of_addresses_has_its_places()
    {
        var waits = new PairingWaits(new DeviceRegistry(null!), new Settings { Current = Limits(handshakes: 1024, perAddress: 3) }, TimeProvider.System);
        int entered = 0;
        while (entered < 100 && Enter(waits, new Client([new($"address {entered}", 1), new("block", 2)], Host: 0), Some.Claim()) is not null)
            entered++;

        entered.ShouldBe(6);
    }

    [Fact]
    public void A_change_of_another_version_is_news_and_one_of_the_same_is_not()
    {
        var waits = new PairingWaits(new DeviceRegistry(null!), new Settings(), TimeProvider.System);
        using PairingWait wait = Enter(waits)!;
        waits.NeedsRecheck(_claim.Device, "1").ShouldBeTrue("nothing was read for it yet");
        wait.Check(_asked with { Version = "1" }, Now, Policy);

        waits.NeedsRecheck(_claim.Device, "1").ShouldBeFalse();
        waits.NeedsRecheck(_claim.Device, "2").ShouldBeTrue();
        waits.NeedsRecheck(Some.Claim().Device, "2").ShouldBeFalse();
        Task news = wait.NextNews();
        waits.Recheck(_claim.Device, "1");
        news.IsCompleted.ShouldBeFalse();
        waits.Recheck(_claim.Device, "2");
        news.IsCompleted.ShouldBeTrue();
        wait.NextNews().IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_registry_that_is_away_is_asked_again_after_ten_seconds()
    {
        var time = new FakeTimeProvider();
        var store = new AnnouncingStore();
        store.Unreadable.TryAdd(_claim.Device, true);
        var waits = new PairingWaits(new DeviceRegistry(store), new Settings(), time);
        using PairingWait wait = Enter(waits)!;
        Task watching = waits.WatchAsync(wait);
        store.Write(Make("approved")!);
        store.Unreadable.Clear();

        time.Advance(TimeSpan.FromSeconds(10));

        await watching.WaitAsync(Eventually.Patience);
        wait.Resolution.ShouldBe(PairingResolution.Approved);
    }

    [Fact]
    public async Task A_wait_that_ends_while_its_record_is_read_is_no_error()
    {
        var store = new AnnouncingStore();
        store.HoldReads();
        var waits = new PairingWaits(new DeviceRegistry(store), new Settings(), TimeProvider.System);
        using PairingWait wait = Enter(waits)!;
        Task watching = waits.WatchAsync(wait);

        wait.End(Closing.Restarting);

        await watching.WaitAsync(Eventually.Patience);
        (wait.Closing, wait.Resolution).ShouldBe((Closing.Restarting, null));
    }

    [Fact]
    public async Task A_request_whose_time_was_over_long_before_it_is_read_has_expired()
    {
        var store = new AnnouncingStore(); // by its clock it is 1970
        store.Write(_asked with { Requests = [_request with { ExpiresAt = DateTimeOffset.UnixEpoch - TimeSpan.FromMinutes(1) }] });
        var waits = new PairingWaits(new DeviceRegistry(store), new Settings(), TimeProvider.System);
        using PairingWait wait = Enter(waits)!;

        await waits.WatchAsync(wait).WaitAsync(Eventually.Patience);

        wait.Resolution.ShouldBe(PairingResolution.Expired);
    }

    [Fact]
    public void The_table_of_sessions_passes_on_what_it_hears()
    {
        var registry = new DeviceRegistry(null!);
        var settings = new Settings();
        var waits = new PairingWaits(registry, settings, TimeProvider.System);
        var sessions = new SessionTable(registry, settings, TimeProvider.System, waits);
        using PairingWait wait = Enter(waits)!;

        sessions.Devices().ShouldBe([_claim.Device]);
        sessions.NeedsRecheck(_claim.Device, "1").ShouldBeTrue();
        Task news = wait.NextNews();
        sessions.Recheck(_claim.Device, record: _asked with { Version = "1" }, Now);
        news.IsCompleted.ShouldBeTrue();

        sessions.Close(Some.Claim().Device, Closing.RegistryUnavailable);
        wait.Closing.ShouldBeNull();
        sessions.Close(_claim.Device, Closing.RegistryUnavailable);
        wait.Closing.ShouldBe(Closing.RegistryUnavailable);
    }

    private static DeviceAuthOptions Limits(int handshakes, int perAddress) =>
        new() { Limits = new DeviceAuthLimits { Handshakes = handshakes, HandshakesPerAddress = perAddress } };

    private PairingWait? Enter(PairingWaits waits, Client? client = null, DeviceClaim? claim = null) =>
        waits.TryEnter(claim ?? _claim, _request.Id, client ?? new Client([new("here", 1)], Host: 0), route: null);

    private DeviceRecord? Make(string record)
    {
        ScopeImplications implications = Policy.Implications;
        Decision Approve(params string[] scopes) =>
            Transitions.Approve(_asked, _request.Id, new GrantTerms { Scopes = ScopeSet.Of(scopes) }, Some.Operator, implications, Now, Some.Lifetimes);
        switch (record)
        {
            case "asked":
            case "expired":
                return _asked;
            case "approved":
                return Approve("operator.read").Record;
            case "approved in part":
                return Approve().Record;
            case "approved and revoked":
                return Transitions.SetGrant(Approve("operator.read").Record, "operator".InDefault(), terms: null, Some.Operator, implications, Now, Some.Lifetimes).Record;
            case "granted together with another request":
                DeviceClaim node = _claim.Asking("node");
                Ask ask = Transitions.Ask(_asked, node, PairingReason.NotPaired, LocalityKind.Remote, address: null, Now, Some.Lifetimes);
                var terms = new GrantTerms { Also = ImmutableSortedDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of(["operator.read"])) };
                return Transitions.Approve(ask.Next, ask.Request!.Id, terms, Some.Operator, implications, Now, Some.Lifetimes).Record;
            case "rejected":
                return Transitions.Reject(_asked, _request.Id, Some.Operator, Now, Some.Lifetimes).Record;
            case "blocked":
                return Transitions.Block(_asked, _claim.Device, reason: null, Some.Operator, Now, Some.Lifetimes).Record;
            case "approved and blocked":
                return Transitions.Block(Approve("operator.read").Record, _claim.Device, reason: null, Some.Operator, Now, Some.Lifetimes).Record;
            case "removed":
                return Transitions.Remove(_asked, Some.Operator, Now, Some.Lifetimes);
            case "without the request":
                return _asked with { Requests = [] };
            default:
                return null;
        }
    }

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current { get; init; } = new();
    }
}
