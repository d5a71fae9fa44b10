namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of an operator's wish to invite.</summary>
/// <param name="Outcome">Whether it was made.</param>
/// <param name="Invitation">The invitation; null if none was made.</param>
/// <param name="Secret">What its holders show, known only now; null if none was made.</param>
public sealed record MadeInvitation(InvitationOutcome Outcome, Invitation? Invitation = null, string? Secret = null)
{
    /// <summary>The names of the members without the secret, which must not come into a log.</summary>
    public override string ToString() => $"{nameof(MadeInvitation)} {{ {Outcome}, {Invitation?.Id} }}";
}
