namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>Counts every event, also those that the audit only counts (<see cref="AuditKinds.AdmissionsLeftOut"/>, <see cref="AuditKinds.RefusalsLeftOut"/>).</summary>
internal interface IAuditTally
{
    /// <summary>Counts an event; neither blocks nor throws.</summary>
    void Count(AuditEntry entry);
}
