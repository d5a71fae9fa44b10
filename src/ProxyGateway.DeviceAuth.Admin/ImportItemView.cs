using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The result for one device of an import.</summary>
/// <param name="Id">The device; absent if its key is invalid.</param>
/// <param name="Outcome">One of added, extended, unchanged, above-ceiling, refused-before, blocked, newer-format, invalid.</param>
/// <param name="Detail">The error.</param>
public sealed record ImportItemView(DeviceId? Id, string Outcome, string? Detail = null);
