using System.Text;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>What an invitation grants, to how many, and for how long.</summary>
public sealed class InvitationsTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly Audience Tools = Audience.Parse("tools");
    private static readonly InvitationTerms Terms = new(Tools, "client", ScopeSet.Of("mcp.call", "mcp.look"), TimeSpan.FromMinutes(10));

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly InMemoryDeviceStore _store;
    private readonly DeviceRegistry _registry;
    private readonly Invitations _invitations;

    public InvitationsTests()
    {
        _store = new InMemoryDeviceStore(_time);
        _registry = new DeviceRegistry(_store);
        _invitations = new Invitations(_registry, _store, audit: null);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_device_gets_what_it_asks_for_within_the_invitation_and_for_its_time()
    {
        (Invitation invitation, string secret) = await MakeAsync(Terms with { GrantFor = TimeSpan.FromDays(30) });
        DeviceClaim claim = Claim(secret, "mcp.call");

        (await RedeemAsync(claim)).ShouldBeNull();

        Grant grant = (await RecordAsync(claim)).Grants.ShouldHaveSingleItem().Value;
        grant.Scopes.ShouldBe(ScopeSet.Of("mcp.call"));
        grant.Until.ShouldBe(_time.GetUtcNow().AddDays(30));
        grant.ApprovedBy.ShouldBe($"alice (invitation {invitation.Id[..8]})");
        (await AdmitAsync(claim)).ShouldBeOfType<Admission.Admitted>();
        (await AdmitAsync(claim with { Audience = Audience.Parse("bank") })).ShouldBeOfType<Admission.Refused>();
        Invitation after = (await _invitations.ListAsync(None)).ShouldHaveSingleItem();
        (after.Used, after.LastUses.Single().Device).ShouldBe((1, claim.Device));
    }

    [Theory]
    [InlineData(0, 600, 1)]
    [InlineData(Invitation.MaxUses + 1, 600, 1)]
    [InlineData(1, 59, 1)]
    [InlineData(1, (30 * 86400) + 1, 1)]
    [InlineData(1, 600, 0)]
    [InlineData(1, 600, (3650 * 86400) + 1)]
    public async Task Terms_out_of_their_range_make_none(int uses, int validSeconds, int grantSeconds)
    {
        InvitationTerms terms = Terms with { Uses = uses, ValidFor = TimeSpan.FromSeconds(validSeconds), GrantFor = TimeSpan.FromSeconds(grantSeconds) };

        await Should.ThrowAsync<ArgumentOutOfRangeException>(async () => await _invitations.MakeAsync(terms, new Operator("alice"), ScopeImplications.Default, None));

        (await _invitations.ListAsync(None)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("tools", "client", "mcp.call", null)]
    [InlineData("tools", "client", "", null)]
    [InlineData("tools", "client", "mcp.call mcp.all", InvitationFault.OtherGrant)]
    [InlineData("tools", "operator", "mcp.call", InvitationFault.OtherGrant)]
    [InlineData("bank", "client", "mcp.call", InvitationFault.OtherGrant)]
    [InlineData("default", "client", "mcp.call", InvitationFault.OtherGrant)]
    public async Task It_is_for_one_audience_and_role_and_no_wider_scope(string audience, string role, string scopes, InvitationFault? expected)
    {
        (_, string secret) = await MakeAsync(Terms);
        DeviceClaim claim = Some.Claim(role, scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)) with
        {
            Audience = Audience.Parse(audience),
            InvitationId = InvitationSecret.IdOf(secret),
        };

        (await RedeemAsync(claim)).ShouldBe(expected);

        (await RecordAsync(claim)).Grants.Count.ShouldBe(expected is null ? 1 : 0);
        (await _invitations.ListAsync(None)).Single().Used.ShouldBe(expected is null ? 1 : 0);
        (await _invitations.LetsAskAsync(Claim(secret) with { Audience = claim.Audience, Role = role, Scopes = claim.Scopes }, Some.Rules, None))
            .ShouldBeFalse(); // used up, or not for this
    }

    [Fact]
    public async Task It_is_used_as_often_as_it_says()
    {
        (_, string secret) = await MakeAsync(Terms with { Uses = 2 });

        (await RedeemAsync(Claim(secret))).ShouldBeNull();
        (await _invitations.LetsAskAsync(Claim(secret), Some.Rules, None)).ShouldBeTrue();
        (await RedeemAsync(Claim(secret))).ShouldBeNull();
        (await RedeemAsync(Claim(secret))).ShouldBe(InvitationFault.UsedUp);
        (await _invitations.LetsAskAsync(Claim(secret), Some.Rules, None)).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_many_devices_at_once_one_gets_in()
    {
        (_, string secret) = await MakeAsync(Terms);
        DeviceClaim[] claims = [.. Enumerable.Range(0, 32).Select(_ => Claim(secret))];

        InvitationFault?[] faults = await Task.WhenAll(claims.Select(claim => Task.Run(() => RedeemAsync(claim))));

        faults.Count(fault => fault is null).ShouldBe(1);
        faults.ShouldAllBe(fault => fault == null || fault == InvitationFault.UsedUp);
    }

    // The gateway may be killed between the two writes, and the answer of the second may be lost.
    [Fact]
    public async Task A_use_whose_approval_was_lost_is_not_lost()
    {
        (_, string secret) = await MakeAsync(Terms);
        DeviceClaim claim = Claim(secret);
        var asked = (Admission.Refused)await AdmitAsync(claim);
        var failing = new Invitations(new DeviceRegistry(new OneDeviceStore()), _store, audit: null); // approves nothing: it knows no such request
        (await failing.RedeemAsync(claim, asked, address: null, Some.Rules, None)).ShouldBe(InvitationFault.DecidedOtherwise);
        (await _invitations.LetsAskAsync(claim, Some.Rules, None)).ShouldBeTrue();
        (await _invitations.LetsAskAsync(Claim(secret), Some.Rules, None)).ShouldBeFalse();

        (await _invitations.RedeemAsync(Claim(secret), (Admission.Refused)await AdmitAsync(Claim(secret)), address: null, Some.Rules, None)).ShouldBe(InvitationFault.UsedUp);
        (await _invitations.RedeemAsync(claim, asked, address: null, Some.Rules, None)).ShouldBeNull();
    }

    [Fact]
    public async Task It_ends_at_its_time_and_when_it_is_withdrawn()
    {
        (_, string early) = await MakeAsync(Terms);
        (Invitation withdrawn, string late) = await MakeAsync(Terms with { ValidFor = TimeSpan.FromDays(1) });
        _time.Advance(TimeSpan.FromMinutes(10));

        (await RedeemAsync(Claim(early))).ShouldBe(InvitationFault.Unknown);
        (await _invitations.WithdrawAsync(withdrawn.Id, Some.Operator, None)).ShouldBe(withdrawn);
        (await RedeemAsync(Claim(late))).ShouldBe(InvitationFault.Unknown);
        (await _invitations.LetsAskAsync(Claim(late), Some.Rules, None)).ShouldBeFalse();
        (await _invitations.ListAsync(None)).ShouldBeEmpty();
        (await _invitations.WithdrawAsync(withdrawn.Id, Some.Operator, None)).ShouldBeNull();
        (await _invitations.WithdrawAsync("0000", Some.Operator, None)).ShouldBeNull();
    }

    [Fact]
    public async Task It_changes_nothing_that_an_operator_has_decided()
    {
        (_, string secret) = await MakeAsync(Terms with { Uses = 9 });
        DeviceClaim rejected = Claim(secret);
        await _registry.RejectAsync(((Admission.Refused)await AdmitAsync(rejected)).Request.Id, Some.Operator, Some.Rules, None);
        DeviceClaim removed = Claim(secret);
        (await RedeemAsync(removed)).ShouldBeNull();
        await _registry.RemoveAsync(removed.Device, Some.Operator, Some.Rules, None);
        DeviceClaim held = Claim(secret, "mcp.look");
        (await RedeemAsync(held)).ShouldBeNull();

        (await RedeemAsync(rejected)).ShouldBe(InvitationFault.DecidedOtherwise);
        (await RedeemAsync(removed)).ShouldBe(InvitationFault.DecidedOtherwise);
        (await RedeemAsync(held with { Scopes = Terms.Scopes })).ShouldBe(InvitationFault.DecidedOtherwise);
        (await _invitations.ListAsync(None)).Single().Used.ShouldBe(2, "what was refused has taken no use");
    }

    [Fact]
    public async Task What_an_operator_decides_while_a_device_uses_it_counts()
    {
        (_, string secret) = await MakeAsync(Terms);
        DeviceClaim claim = Claim(secret, "mcp.call", "mcp.look");
        var reader = (Admission.Refused)await AdmitAsync(claim with { Role = "reader" });
        await _registry.ApproveAsync(reader.Request.Id, new GrantTerms(), Some.Operator, Some.Rules, None);
        var between = new SharedStore(_store)
        {
            AfterSwap = async () => await _registry.ChangeAsync(
                claim.Device, new DeviceChange.SetGrant(claim.Key, new GrantTerms(ScopeSet.Of("mcp.look"))), Some.Operator, Some.Rules, None),
        };

        (await new Invitations(_registry, between, audit: null).RedeemAsync(claim, (Admission.Refused)await AdmitAsync(claim), address: null, Some.Rules, None))
            .ShouldBe(InvitationFault.DecidedOtherwise);

        (await RecordAsync(claim)).Grants[claim.Key].Scopes.ShouldBe(ScopeSet.Of("mcp.look"));
    }

    // A page that opens asks for several things at once.
    [Fact]
    public async Task Requests_of_a_device_that_use_it_at_the_same_time_all_get_in()
    {
        (_, string secret) = await MakeAsync(Terms with { GrantFor = TimeSpan.FromDays(1) });
        DeviceClaim claim = Claim(secret);
        var asked = (Admission.Refused)await AdmitAsync(claim);
        (await _invitations.RedeemAsync(claim, asked, address: null, Some.Rules, None)).ShouldBeNull();
        _time.Advance(TimeSpan.FromSeconds(1));

        (await _invitations.RedeemAsync(claim, asked, address: null, Some.Rules, None)).ShouldBeNull();

        (await _invitations.ListAsync(None)).Single().Used.ShouldBe(1);
        (await RecordAsync(claim)).Grants.Single().Value.Until.ShouldBe(_time.GetUtcNow() - TimeSpan.FromSeconds(1) + TimeSpan.FromDays(1), "it does not prolong what it gave");
    }

    // Strangers make up secrets, and each look reads all invitations.
    [Fact]
    public async Task However_many_show_a_secret_at_once_the_registry_is_read_once_at_a_time()
    {
        await MakeAsync(Terms);
        var slow = new SharedStore(_store) { Gate = new TaskCompletionSource() };
        var invitations = new Invitations(_registry, slow, audit: null);
        Task<bool>[] looks = [.. Enumerable.Range(0, 50).Select(_ => invitations.LetsAskAsync(Claim(InvitationSecret.New()), Some.Rules, None).AsTask())];
        using var gone = new CancellationTokenSource();
        Task<bool> left = invitations.LetsAskAsync(Claim(InvitationSecret.New()), Some.Rules, gone.Token).AsTask();
        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(left);

        slow.Gate.SetResult();

        (await Task.WhenAll(looks)).ShouldAllBe(letsAsk => !letsAsk);
        slow.Lists.ShouldBeInRange(1, 2);
        (_, string late) = await MakeAsync(Terms);
        (await invitations.LetsAskAsync(Claim(late), Some.Rules, None)).ShouldBeTrue("nothing is remembered");
    }

    [Fact]
    public async Task A_look_that_fails_does_not_fail_the_next()
    {
        (_, string secret) = await MakeAsync(Terms);
        var failing = new SharedStore(_store) { Gate = new TaskCompletionSource() };
        var invitations = new Invitations(_registry, failing, audit: null);
        failing.Gate.SetException(new RegistryUnavailableException("away"));
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await invitations.LetsAskAsync(Claim(secret), Some.Rules, None));

        failing.Gate = null;

        (await invitations.LetsAskAsync(Claim(secret), Some.Rules, None)).ShouldBeTrue();
    }

    [Fact]
    public async Task An_operator_invites_within_their_ceiling()
    {
        Operator few = Some.Operator with { Audiences = [Audience.Parse("bank")] };

        (await _invitations.MakeAsync(Terms, few, ScopeImplications.Default, None)).ShouldBe(new MadeInvitation(InvitationOutcome.AboveCeiling));
        (await _invitations.MakeAsync(Terms with { Scopes = ScopeSet.Of(Enumerable.Range(0, 64).Select(i => $"{i}".PadLeft(64, 'x'))) }, Some.Operator, ScopeImplications.Default, None))
            .Outcome.ShouldBe(InvitationOutcome.TooLarge);
        (await _invitations.ListAsync(None)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_registry_keeps_so_many_and_the_largest_fits()
    {
        var largest = new InvitationTerms(
            Audience.Parse(new string('a', 64)), new string('r', 128), ScopeSet.Of(Enumerable.Range(0, 15).Select(i => $"{i}".PadLeft(64, 'x'))), InvitationTerms.MaxValidFor)
        {
            Uses = Invitation.MaxUses,
            GrantFor = TimeSpan.FromDays(3650),
        };
        (Invitation? invitation, string? secret) = await MakeAsync(largest, new Operator(new string('ä', 128)));
        for (int i = 0; i < 10; i++)
            (await RedeemAsync(Some.Claim(largest.Role) with { Audience = largest.Audience, InvitationId = InvitationSecret.IdOf(secret) })).ShouldBeNull();
        while (await _invitations.MakeAsync(Terms, Some.Operator, ScopeImplications.Default, None) is { Outcome: InvitationOutcome.Done })
        {
        }

        (await _invitations.ListAsync(None)).Count.ShouldBe(Invitations.MaxOpen);
        (await _invitations.MakeAsync(Terms, Some.Operator, ScopeImplications.Default, None)).Outcome.ShouldBe(InvitationOutcome.TooMany);
        Invitation used = (await _invitations.ListAsync(None)).Single(i => i.Id == invitation.Id);
        (used.Used, used.LastUses.Length).ShouldBe((10, 8));
    }

    // A newer gateway's member may be a restriction that this one does not know.
    [Theory]
    [InlineData(",\"newer\":1}")]
    [InlineData("")]
    [InlineData(",\"scopes\":null}")]
    [InlineData(",\"createdBy\":null}")]
    public async Task A_document_that_cannot_be_read_admits_nobody(string end)
    {
        (Invitation invitation, string secret) = await MakeAsync(Terms);
        SharedDocument document = (await _store.ListAsync("invitations", None)).Items.Single();
        byte[] content = [.. document.Content.Span[..^1], .. Encoding.UTF8.GetBytes(end)];
        (await _store.SwapAsync(document.Version, new SharedDocument("invitations", invitation.Id, content, document.ExpiresAt), None)).ShouldBeTrue();

        (await RedeemAsync(Claim(secret))).ShouldBe(InvitationFault.Unknown);
    }

    [Theory]
    [InlineData("")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAA==")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAA+")]
    [InlineData("AAAAAAAAAAA AAAAAAAAAA")]
    public void A_secret_has_one_form(string text) => InvitationSecret.IdOf(text).ShouldBeNull();

    [Fact]
    public async Task A_store_without_shared_documents_has_no_invitations()
    {
        var without = new Invitations(_registry, store: null, audit: null);

        await Should.ThrowAsync<RegistryUnavailableException>(async () => await without.ListAsync(None));
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await without.LetsAskAsync(Claim(InvitationSecret.New()), Some.Rules, None));
    }

    [Fact]
    public async Task Its_secret_is_in_no_text_of_it()
    {
        MadeInvitation made = await _invitations.MakeAsync(Terms, Some.Operator, ScopeImplications.Default, None);

        made.ToString().ShouldNotContain(made.Secret!);
        made.Invitation!.Id.ShouldNotContain(made.Secret!);
        Encoding.UTF8.GetString((await _store.ListAsync("invitations", None)).Items.Single().Content.Span).ShouldNotContain(made.Secret!);
    }

    private static DeviceClaim Claim(string secret, params string[] scopes) =>
        Some.Claim("client", scopes) with { Audience = Tools, InvitationId = InvitationSecret.IdOf(secret) };

    private async Task<(Invitation Invitation, string Secret)> MakeAsync(InvitationTerms terms, Operator? by = null)
    {
        MadeInvitation made = await _invitations.MakeAsync(terms, by ?? new Operator("alice"), ScopeImplications.Default, None);
        made.Outcome.ShouldBe(InvitationOutcome.Done);
        return (made.Invitation!, made.Secret!);
    }

    private async Task<Admission> AdmitAsync(DeviceClaim claim) => await _registry.AdmitAsync(claim, Some.Origin, Some.Rules, None);

    private async Task<InvitationFault?> RedeemAsync(DeviceClaim claim) =>
        await _invitations.RedeemAsync(claim, (await AdmitAsync(claim)).ShouldBeOfType<Admission.Refused>(), address: null, Some.Rules, None);

    private async Task<DeviceRecord> RecordAsync(DeviceClaim claim) => (await _registry.FindAsync(claim.Device, None)).ShouldNotBeNull();

    private sealed class SharedStore(ISharedDocumentStore store) : ISharedDocumentStore
    {
        private int _lists;

        public int Lists => Volatile.Read(ref _lists);

        public TaskCompletionSource? Gate { get; set; }

        public Func<Task>? AfterSwap { get; init; }

        public async ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _lists);
            if (Gate is not null)
                await Gate.Task.WaitAsync(cancellationToken);
            return await store.ListAsync(group, cancellationToken);
        }

        public async ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken)
        {
            bool isWritten = await store.SwapAsync(previousVersion, next, cancellationToken);
            if (AfterSwap is not null)
                await AfterSwap();
            return isWritten;
        }
    }
}
