using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device's document in a format that this version does not know.</summary>
/// <param name="Device">The device.</param>
/// <param name="Format">The document's format, greater than <see cref="DeviceDocument.Format"/>.</param>
/// <param name="Version">The version that the store keeps beside the document.</param>
public sealed record NewerDocument(DeviceId Device, int Format, string Version);
