using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A verified device that wants to be admitted.</summary>
/// <param name="Http">The upgrade request.</param>
/// <param name="Claim">The verified claim. It is not yet known whether a grant covers it.</param>
/// <param name="Address">The client's address; null if it is unknown.</param>
/// <param name="Locality">The locality, by the policy in force.</param>
public sealed record AdmissionContext(HttpContext Http, DeviceClaim Claim, string? Address, LocalityKind Locality);
