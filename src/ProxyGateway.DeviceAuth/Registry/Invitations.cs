using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The invitations of the registry's gateways. Each use is taken by a swap before anything is approved, so two devices never share one, at whichever gateway
/// they come; and the approval is that of an operator whose ceiling is the invitation's grant.
/// </summary>
public sealed class Invitations
{
    /// <summary>How many may be open. The group of the store holds some more, for those that were withdrawn.</summary>
    public const int MaxOpen = 200;

    private const string Group = "invitations";
    private const int MaxAttempts = 8;

    private const int MaxScopeBytes = 1024; // so that the document fits into the store with its uses
    private static readonly TimeSpan ReadableFor = TimeSpan.FromMinutes(1); // after a withdrawal: a swap under way must find another version

    private readonly DeviceRegistry _registry;
    private readonly ISharedDocumentStore? _store;
    private readonly AuditLog? _audit;
    private readonly Lock _lock = new();
    private Task _looking = Task.CompletedTask;
    private Task<SharedDocuments>? _next; // what is asked for while the registry is read

    internal Invitations(DeviceRegistry registry, ISharedDocumentStore? store, AuditLog? audit) => (_registry, _store, _audit) = (registry, store, audit);

    private ISharedDocumentStore Store =>
        _store ?? throw new RegistryUnavailableException("The registry's store keeps no documents that gateways share, so it has no invitations.");

    /// <summary>Makes an invitation.</summary>
    /// <param name="terms">What it invites to.</param>
    /// <param name="by">The operator.</param>
    /// <param name="implications">Which scopes cover which.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number, a time or the role of the terms is out of its range.</exception>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached, and perhaps one was made that nobody knows the secret of.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async ValueTask<MadeInvitation> MakeAsync(InvitationTerms terms, Operator by, ScopeImplications implications, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(by);
        if (!AreValid(terms))
            throw new ArgumentOutOfRangeException(nameof(terms), terms, "A number, a time or the role is out of its range.");
        if (!by.MayGrant(new GrantKey(terms.Audience, terms.Role), terms.Scopes, implications))
        {
            _audit?.Enter(Entry(AuditKinds.OperatorRefused, terms.Audience, terms.Role, terms.Scopes, by) with { Reason = "above-ceiling" });
            return new MadeInvitation(InvitationOutcome.AboveCeiling);
        }

        if (terms.Scopes.Bytes > MaxScopeBytes)
            return new MadeInvitation(InvitationOutcome.TooLarge);
        SharedDocuments found = await Store.ListAsync(Group, cancellationToken);
        if (found.Items.Count >= MaxOpen)
            return new MadeInvitation(InvitationOutcome.TooMany);
        string secret = InvitationSecret.New();
        var invitation = new Invitation
        {
            Id = InvitationSecret.IdOf(secret)!,
            Audience = terms.Audience,
            Role = terms.Role,
            Scopes = terms.Scopes,
            GrantSeconds = terms.GrantFor is { } lasts ? (long)lasts.TotalSeconds : null,
            Uses = terms.Uses,
            CreatedBy = by.Name,
            CreatedAt = found.Now,
            ExpiresAt = found.Now + terms.ValidFor,
        };
        if (!await Store.SwapAsync(previousVersion: null, Document(invitation, invitation.ExpiresAt), cancellationToken))
            throw new RegistryUnavailableException("A new invitation has the name of another.");
        _audit?.Enter(Entry(AuditKinds.InvitationMade, invitation, by));
        return new MadeInvitation(InvitationOutcome.Done, invitation, secret);
    }

    /// <summary>The invitations that can be used, or were used up and have not expired; the newest first.</summary>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async ValueTask<IReadOnlyList<Invitation>> ListAsync(CancellationToken cancellationToken) =>
    [
        .. (await Store.ListAsync(Group, cancellationToken)).Items.Select(Parse).OfType<Invitation>().Where(i => !i.IsWithdrawn)
            .OrderByDescending(i => i.CreatedAt).ThenBy(i => i.Id, StringComparer.Ordinal),
    ];

    /// <summary>Withdraws an invitation: nobody can use it from then on. The devices that used it stay. Null if there is none.</summary>
    /// <param name="id">The invitation.</param>
    /// <param name="by">The operator.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">It is unknown whether it was withdrawn; it may be repeated.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; it may or may not have been withdrawn.</exception>
    public async ValueTask<Invitation?> WithdrawAsync(string id, Operator by, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            SharedDocuments found = await Store.ListAsync(Group, cancellationToken);
            if (Find(found, id) is not ({ IsWithdrawn: false } invitation, { } document))
                return null;
            if (!await Store.SwapAsync(document.Version, Document(invitation with { IsWithdrawn = true }, found.Now + ReadableFor), cancellationToken))
                continue; // a device has used it meanwhile
            _audit?.Enter(Entry(AuditKinds.InvitationWithdrawn, invitation, by));
            return invitation;
        }

        throw Contended();
    }

    /// <summary>Whether there is an invitation that this claim may use, so that it may ask even without a shared token.</summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal async ValueTask<bool> LetsAskAsync(DeviceClaim claim, PairingRules rules, CancellationToken cancellationToken) =>
        claim.InvitationId is { } id
        && Find(await LookAsync(cancellationToken), id) is ({ } invitation, _)
        && FaultOf(invitation, claim, use: null, rules) is null;

    /// <summary>Approves the request of a device by the invitation that it has shown; null if that was done, else why not.</summary>
    /// <param name="claim">The device's claim, with an invitation.</param>
    /// <param name="refused">What the registry says of it.</param>
    /// <param name="address">The device's address.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation; a use may have been taken.</param>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached; if a use was taken, the same request may take it again.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal async ValueTask<InvitationFault?> RedeemAsync(
        DeviceClaim claim, Admission.Refused refused, string? address, PairingRules rules, CancellationToken cancellationToken)
    {
        PairingRequest request = refused.Request;
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            SharedDocuments found = await LookAsync(cancellationToken);
            if (Find(found, claim.InvitationId!) is not ({ } invitation, { } document))
                return InvitationFault.Unknown;
            var use = new InvitationUse(claim.Device, request.Id);
            if (FaultOf(invitation, claim, use, rules) is { } fault)
                return fault;
            if (request.Status != PairingRequestStatus.Open || IsDecided(refused.Record, claim.Key))
                return InvitationFault.DecidedOtherwise;
            if (!invitation.LastUses.Contains(use)
                && !await Store.SwapAsync(document.Version, Document(invitation.With(use), invitation.ExpiresAt), cancellationToken))
            {
                continue; // another device was faster, or an operator
            }

            var terms = new GrantTerms(Scopes: null, invitation.GrantSeconds is { } seconds ? found.Now.AddSeconds(seconds) : null);
            Decision? decision = await _registry.ApproveAsync(
                request.Id, terms, invitation.AsOperator(address), record => IsDecided(record, claim.Key), rules, cancellationToken);

            // Another request of the same device may have been faster: whether what was approved covers the claim is decided again.
            return decision is { Outcome: DecisionOutcome.Done or DecisionOutcome.AlreadyDone } or { Request.Status: PairingRequestStatus.Approved }
                ? null
                : InvitationFault.DecidedOtherwise;
        }

        throw Contended();
    }

    /// <summary>
    /// The invitations at a time after the call. Each look reads all of them, and strangers cause looks with secrets that they make up: so however many there are
    /// at once, the registry is read once at a time, for all who wait.
    /// </summary>
    private async ValueTask<SharedDocuments> LookAsync(CancellationToken cancellationToken)
    {
        Task<SharedDocuments> look;
        lock (_lock)
        {
            look = _next ??= LookAfterAsync(_looking);
        }

        return await look.WaitAsync(cancellationToken);
    }

    private async Task<SharedDocuments> LookAfterAsync(Task previous)
    {
        await previous.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        lock (_lock)
        {
            (_looking, _next) = (_next!, null);
        }

        return await Store.ListAsync(Group, CancellationToken.None); // not a caller's token: the others wait for the same
    }

    private static InvitationFault? FaultOf(Invitation invitation, DeviceClaim claim, InvitationUse? use, PairingRules rules)
    {
        if (invitation.IsWithdrawn)
            return InvitationFault.Unknown;
        if (!invitation.AsOperator(address: null).MayGrant(claim.Key, claim.Scopes, rules.Policy.Implications))
            return InvitationFault.OtherGrant;
        bool isRepeated = invitation.LastUses.Any(earlier => use is null ? earlier.Device == claim.Device : earlier == use);
        return isRepeated || invitation.Used < invitation.Uses ? null : InvitationFault.UsedUp;
    }

    private static bool IsDecided(DeviceRecord? record, GrantKey key) =>
        record is not null && (record.Refusals?.Covers(key) == true || record.Grants.ContainsKey(key) || (record.Legacy && key.Audience.IsDefault));

    private static (Invitation? Invitation, SharedDocument? Document) Find(SharedDocuments found, string id)
    {
        SharedDocument? document = found.Items.FirstOrDefault(d => d.Name == id);
        return document is not null && Parse(document) is { } invitation && found.Now < invitation.ExpiresAt ? (invitation, document) : default;
    }

    private static SharedDocument Document(Invitation invitation, DateTimeOffset until) =>
        new(Group, invitation.Id, JsonSerializer.SerializeToUtf8Bytes(invitation, RegistryJsonContext.Default.Invitation), until);

    // One that is damaged, or of a newer gateway, admits nobody.
    private static Invitation? Parse(SharedDocument document)
    {
        try
        {
            Invitation? read = JsonSerializer.Deserialize(document.Content.Span, RegistryJsonContext.Default.Invitation);
            return read is { LastUses.IsDefault: false } && read.Id == document.Name && ScopeSet.IsValidName(read.Role) ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool AreValid(InvitationTerms terms) =>
        terms.Uses is >= 1 and <= Invitation.MaxUses
        && terms.ValidFor >= TimeSpan.FromMinutes(1) && terms.ValidFor <= InvitationTerms.MaxValidFor
        && (terms.GrantFor is not { } lasts || (lasts >= TimeSpan.FromSeconds(1) && lasts <= InvitationTerms.MaxGrantFor))
        && ScopeSet.IsValidName(terms.Role);

    private static AuditEntry Entry(string kind, Invitation invitation, Operator by) =>
        Entry(kind, invitation.Audience, invitation.Role, invitation.Scopes, by) with { Note = $"invitation {invitation.Id[..8]}", Until = invitation.ExpiresAt };

    private static AuditEntry Entry(string kind, Audience audience, string role, ScopeSet scopes, Operator by) => new()
    {
        Kind = kind,
        Audience = audience,
        Role = role,
        Scopes = scopes,
        Operator = by.Name,
        Address = by.Address,
    };

    private static RegistryUnavailableException Contended() => new("An invitation changes faster than it can be read.") { IsContended = true };
}
