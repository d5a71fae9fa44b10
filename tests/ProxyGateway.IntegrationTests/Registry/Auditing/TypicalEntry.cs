using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.IntegrationTests.Registry.Auditing;

/// <summary>An entry as most are.</summary>
internal static class TypicalEntry
{
    /// <summary>An entry with so many scopes.</summary>
    public static AuditEntry With(string kind, int scopes)
    {
        DeviceClaim claim = Some.Claim("operator", [.. Enumerable.Range(0, scopes).Select(i => scopes > 8 ? $"{i}{new string('s', 120)}" : $"operator.{i}")]);
        return new()
        {
            Time = DateTimeOffset.UtcNow,
            Gateway = "gateway-1",
            Kind = kind,
            DeviceId = claim.Device,
            Role = claim.Role,
            Scopes = claim.Scopes,
            Reason = "not-paired",
            Address = "203.0.113.77",
            Locality = LocalityKind.Remote,
        };
    }
}
