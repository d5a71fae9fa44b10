using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>Selects entries; a null member matches any.</summary>
/// <param name="Kind">One of <see cref="AuditKinds"/>.</param>
/// <param name="Device">Entries about this device.</param>
/// <param name="Operator">Entries that name this operator.</param>
public sealed record AuditFilter(string? Kind = null, DeviceId? Device = null, string? Operator = null)
{
    /// <summary>Entries of this audience; those about all audiences count as of <c>default</c>.</summary>
    public Audience? Audience { get; init; }

    /// <summary>Whether the filter selects the entry.</summary>
    public bool Matches(AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return (Kind is null || entry.Kind == Kind)
            && (Device is null || entry.DeviceId == Device)
            && (Operator is null || entry.Operator == Operator)
            && (Audience is null || entry.Audience == Audience);
    }
}
