namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>Receives every entry of this gateway, whether or not an audit is kept.</summary>
public interface IAuditListener
{
    /// <summary>Called for each entry. Must neither block nor throw: a handshake may be waiting.</summary>
    /// <param name="entry">The entry; its id is not known yet.</param>
    void Entered(AuditEntry entry);
}
