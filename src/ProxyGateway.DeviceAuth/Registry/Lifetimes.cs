namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How long things stay on record.</summary>
/// <param name="Request">How long a request waits for an operator, and how long a resolved one stays readable.</param>
/// <param name="Removed">How long an operator's no is remembered for a device that holds no grant.</param>
public readonly record struct Lifetimes(TimeSpan Request, TimeSpan Removed);
