namespace ProxyGateway.Operating;

/// <summary>What <c>devices export</c> prints, and <c>devices import</c> takes.</summary>
internal sealed record ExportedDevices(IReadOnlyList<ExportedDevice> Devices);
