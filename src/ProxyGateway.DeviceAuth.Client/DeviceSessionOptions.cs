namespace ProxyGateway.DeviceAuth.Client;

/// <summary>Where a <see cref="DeviceHttpHandler"/> may send session tokens instead of proofs. The gateway's routes there must allow them.</summary>
public sealed record DeviceSessionOptions
{
    /// <summary>The agent's URL: a token goes there and below its path, and nowhere else. All of that must be of one audience.</summary>
    public required Uri Url { get; init; }

    /// <summary>The audience, as the gateway's configuration names it. Not used if <see cref="Route"/> is set.</summary>
    public string Audience { get; init; } = "default";

    /// <summary>The route's name in the gateway's configuration, whose role and scopes the token then has; null: those of the audience.</summary>
    public string? Route { get; init; }

    /// <summary>Whether a token may go to this URL.</summary>
    internal bool Covers(Uri url)
    {
        string folder = Url.AbsolutePath.TrimEnd('/');
        string path = url.AbsolutePath;
        return GateUrl.OriginOf(url) == GateUrl.OriginOf(Url)
            && path.StartsWith(folder, StringComparison.Ordinal) && (path.Length == folder.Length || path[folder.Length] == '/');
    }
}
