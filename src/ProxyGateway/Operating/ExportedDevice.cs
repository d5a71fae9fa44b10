using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary>A device that goes elsewhere: what is approved for it, and nothing that is this gateway's own.</summary>
internal sealed record ExportedDevice(
    string Id, string PublicKey, IReadOnlyDictionary<string, ImportGrantBody> Grants, bool? Legacy, string? Label, ClientDescription Client);
