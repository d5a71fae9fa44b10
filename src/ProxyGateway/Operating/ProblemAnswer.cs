namespace ProxyGateway.Operating;

/// <summary>An error that the operators' endpoints answer, as RFC 9457 has it; of something that is not the gateway, members may be missing.</summary>
internal sealed record ProblemAnswer(string? Type, string? Title, string? Detail);
