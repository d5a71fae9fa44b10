namespace ProxyGateway.Operating;

/// <summary>The output of <c>devices export</c>, and the input of <c>devices import</c>.</summary>
internal sealed record ExportedDevices(IReadOnlyList<ExportedDevice> Devices);
