using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A verified device that asks to be admitted.</summary>
/// <param name="Http">The upgrade request.</param>
/// <param name="Claim">What the device has proved and asks for. It is not known yet whether a grant covers that.</param>
/// <param name="Address">The client's address; null if it cannot be told.</param>
/// <param name="Locality">Where it comes from, by the policy in force.</param>
public sealed record AdmissionContext(HttpContext Http, DeviceClaim Claim, string? Address, LocalityKind Locality);
