namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// One way for a device to say who it is and to prove it, chosen by name for each route. It verifies a claim and hands it to the gate
/// (<see cref="HandshakeRequest.DecideAsync"/>), which applies filters, policy, registry and limits. Nothing of a client reaches the backend but by
/// <see cref="HandshakeRequest.ForwardAsync"/>, which only a device that the gate has admitted gets past.
/// </summary>
public interface IDeviceHandshake
{
    /// <summary>
    /// Headers that clients send for this handshake. They are no sign of a proxy, and are removed before a request is forwarded: a backend that could read a
    /// proof could use it.
    /// </summary>
    IReadOnlyCollection<string> RequestHeaders => [];

    /// <summary>The headers of its clients on one route; those of every route if it makes no difference.</summary>
    /// <param name="metadata">The route's metadata; null if it has none.</param>
    IReadOnlyCollection<string> RequestHeadersOf(IReadOnlyDictionary<string, string>? metadata) => RequestHeaders;

    /// <summary>
    /// Whether it takes plain HTTP requests as well. Then none passes a route of it without a decision, whatever <see cref="DeviceAuthOptions.HttpRequests"/>
    /// says. If not, it gets well-formed WebSocket upgrades only.
    /// </summary>
    bool TakesHttpRequests => false;

    /// <summary>
    /// Takes a request through the handshake: forwards it, or answers it. It has a place in the budgets, and its origin is checked. An exception is answered
    /// with 500, and nothing is forwarded. Without a decision or refusal within <see cref="DeviceAuthOptions.HandshakeTimeout"/>, or when another handshake needs
    /// its place, the request is aborted: it must then return. Runs for many requests at a time.
    /// </summary>
    /// <param name="request">The request. It cannot be decided or forwarded any more once this returns.</param>
    Task InvokeAsync(HandshakeRequest request);
}
