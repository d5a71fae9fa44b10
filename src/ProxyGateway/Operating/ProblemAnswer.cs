namespace ProxyGateway.Operating;

/// <summary>An error of the operators' endpoints, as RFC 9457 defines it; an answer of another server may lack members.</summary>
internal sealed record ProblemAnswer(string? Type, string? Title, string? Detail);
