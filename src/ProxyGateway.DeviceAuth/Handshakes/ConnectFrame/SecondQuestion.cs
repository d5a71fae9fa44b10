using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// A backend has refused a device that the gate has admitted. If it asks a pairing question of its own, the gate answers it where it may: it approves what
/// it has granted. Either way somebody hears of it: the log, the audit, and a client that would otherwise stop for good.
/// </summary>
internal sealed class SecondQuestion(BackendPairings pairings, Gatekeeper gatekeeper, IDeviceAuthSettings settings, BackendLog log)
{
    /// <summary>Deals with a refusal.</summary>
    /// <param name="handshake">The handshake.</param>
    /// <param name="outcome">The admission.</param>
    /// <param name="refusal">The backend's refusal.</param>
    /// <param name="gone">Cancelled when the client is gone.</param>
    /// <returns>What the client is told instead of the backend's answer; null if it is to get that.</returns>
    public async Task<Refusal?> AnswerAsync(HandshakeContext handshake, ConnectOutcome outcome, BackendRefusal refusal, CancellationToken gone)
    {
        if (outcome.Session is not DeviceSession session)
        {
            // Without a device there is no grant, and so nothing that could be approved there.
            log.BackendRefusedDeviceless(handshake, outcome.Session!, refusal);
            gatekeeper.RefusedByBackend(outcome.Session!, AuditReason(refusal), note: null, handshake.Origin, handshake.Options);
            return null;
        }

        if (!refusal.AsksForPairing)
        {
            log.BackendRefused(handshake, session.Claim, refusal);
            Enter(AuditReason(refusal), note: null);
            return null;
        }

        var destination = BackendDestination.Of(handshake.Http);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(session.ClosingToken, gone);
        Approval approval = await pairings.ApproveAsync(
            destination, session.Claim.Device, ReadGrantAsync, refusal.RequestId!, handshake.Options.HandshakeTimeout / 2, over.Token);
        if (approval.Problem is null)
        {
            log.ApprovedAtBackend(handshake, session.Claim, refusal);
            gatekeeper.ApprovedAtBackend(session, AuditReason(refusal), handshake.Origin, handshake.Options);
            return Answers.ApprovedAtBackend(outcome.RequestId);
        }

        if (!approval.IsConfigured)
        {
            log.BackendAsks(handshake, session.Claim, refusal, destination?.Cluster ?? "<cluster>");
            Enter(AuditReason(refusal), refusal.OwnersCommand);
            return refusal.Retries ? null : Answers.BackendAsks(outcome.RequestId, session.Claim, refusal);
        }

        if (approval.WasWider)
        {
            log.ApprovedTooMuch(session.Claim, refusal, approval.Problem);
            Enter($"{AuditReason(refusal)}: {approval.Problem}", $"openclaw devices remove {session.Claim.Device}");
            return Answers.TryAgainLater(outcome.RequestId);
        }

        log.NotApprovedAtBackend(handshake, session.Claim, refusal, approval.Problem);
        Enter($"{AuditReason(refusal)}: {approval.Problem}", refusal.OwnersCommand);
        return Answers.NotApprovedAtBackend(outcome.RequestId, refusal);

        async ValueTask<BackendGrant> ReadGrantAsync(CancellationToken cancellationToken)
        {
            try
            {
                return await gatekeeper.ReadGrantingAsync(session, cancellationToken) is { } record
                    ? new BackendGrant(session.Claim, record, settings.Current.Policy.Implications) { Question = refusal }
                    : throw new BackendPairingException("the gate does not grant it any more, or cannot know");
            }
            catch (RegistryUnavailableException e)
            {
                throw new BackendPairingException("the registry is unavailable", e);
            }
        }

        void Enter(string reason, string? note) => gatekeeper.RefusedByBackend(session, reason, note, handshake.Origin, handshake.Options);
    }

    private static string AuditReason(BackendRefusal refusal) =>
        refusal.RequestId is { } id ? $"{refusal.Describe()}, request {id}" : refusal.Describe();
}
