namespace ProxyGateway.DeviceAuth.Client;

/// <summary>The gateway has refused a WebSocket; <see cref="Problem"/> says why and what to do.</summary>
public sealed class GateRefusedException : Exception
{
    /// <summary>Refused for this reason.</summary>
    /// <param name="problem">The gateway's words.</param>
    public GateRefusedException(GateProblem problem)
        : base($"{problem?.Title} {problem?.Detail}")
    {
        ArgumentNullException.ThrowIfNull(problem);
        Problem = problem;
    }

    /// <summary>The gateway's words.</summary>
    public GateProblem Problem { get; }
}
