namespace ProxyGateway.Operating;

/// <summary>What <c>invitations withdraw --json</c> prints.</summary>
internal sealed record WithdrawnInvitation(string Id, bool Withdrawn);
