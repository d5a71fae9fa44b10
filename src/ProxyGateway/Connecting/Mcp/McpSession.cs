namespace ProxyGateway.Connecting.Mcp;

/// <summary>What a server and the host have agreed on, in revisions before 2026-07-28.</summary>
/// <param name="Id">The server's name for it; null if the server keeps none.</param>
/// <param name="Revision">The protocol's version.</param>
/// <param name="Initialize">The host's <c>initialize</c>, to begin another session with once the server has lost this one.</param>
internal sealed record McpSession(string? Id, string? Revision, McpMessage Initialize);
