namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How long records are kept.</summary>
/// <param name="Request">How long a request waits for an operator, and how long a resolved one stays readable.</param>
/// <param name="Removed">How long an operator's refusal is remembered for a device without a grant.</param>
public readonly record struct Lifetimes(TimeSpan Request, TimeSpan Removed);
