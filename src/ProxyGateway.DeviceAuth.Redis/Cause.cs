using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Why Redis cannot be used.</summary>
/// <param name="Fault">Its kind.</param>
/// <param name="Text">A sentence for operators. It never holds a password.</param>
internal sealed record Cause(RegistryFault Fault, string Text);
