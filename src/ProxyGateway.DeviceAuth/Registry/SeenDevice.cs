using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device that was seen.</summary>
/// <param name="Device">The device.</param>
/// <param name="At">The time, with a precision of milliseconds.</param>
public readonly record struct SeenDevice(DeviceId Device, DateTimeOffset At);
