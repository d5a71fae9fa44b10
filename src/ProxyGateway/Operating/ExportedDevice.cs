using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary>A device for export: its approvals, without data of this gateway.</summary>
internal sealed record ExportedDevice(
    string Id, string PublicKey, IReadOnlyDictionary<string, ImportGrantBody> Grants, bool? Legacy, string? Label, ClientDescription Client);
