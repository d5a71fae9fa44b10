namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>Hears of everything that is entered at this gateway, whether or not an audit is kept.</summary>
public interface IAuditListener
{
    /// <summary>Something was entered. Must neither block nor throw: a handshake may be waiting.</summary>
    /// <param name="entry">The entry; its id is not known yet.</param>
    void Entered(AuditEntry entry);
}
