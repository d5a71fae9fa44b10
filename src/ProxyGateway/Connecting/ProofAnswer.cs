using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting;

/// <summary>What a gateway answers to a proof.</summary>
/// <param name="Status">The HTTP status: of the backend, if the device is let in.</param>
/// <param name="Problem">The gateway's refusal; null if there is none.</param>
/// <param name="IsOfProofRoute">Whether it is a route with the handshake Proof.</param>
internal sealed record ProofAnswer(int Status, GateProblem? Problem, bool IsOfProofRoute)
{
    /// <summary>Whether the device is let in: the gateway explains each refusal, so that any other answer is the backend's, or says that it has none.</summary>
    public bool IsAdmitted => IsOfProofRoute && Problem is null && Status is not (407 or 502 or 503 or 504);
}
