using System.Net.Sockets;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>A container engine with Docker's API: Docker, or podman's service.</summary>
internal static class ContainerEngine
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20); // where nothing listens, none of it passes

    /// <summary>The first that answers of the one in <c>DOCKER_HOST</c>, if that is set, else of those at the usual sockets; null if none does.</summary>
    public static async Task<Uri?> FindAsync()
    {
        foreach (Uri candidate in Candidates())
        {
            if (await AnswersAsync(candidate))
                return candidate;
        }

        return null;
    }

    /// <summary>Where one may be, in this order.</summary>
    private static IEnumerable<Uri> Candidates()
    {
        if (Environment.GetEnvironmentVariable("DOCKER_HOST") is { Length: > 0 } named)
            return [new Uri(named)];
        var sockets = new List<string> { "/var/run/docker.sock", "/run/podman/podman.sock" };
        if (Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } own)
            sockets.AddRange([Path.Combine(own, "docker.sock"), Path.Combine(own, "podman/podman.sock")]);
        return sockets.Where(File.Exists).Select(s => new Uri("unix://" + s));
    }

    private static async Task<bool> AnswersAsync(Uri engine)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        if (engine.Scheme == "unix")
        {
            handler.ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(engine.LocalPath), cancellationToken);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            };
        }

        using var client = new HttpClient(handler) { Timeout = Patience };
        try
        {
            Uri ping = engine.Scheme == "unix" ? new Uri("http://engine/_ping") : new UriBuilder(engine) { Scheme = Uri.UriSchemeHttp, Path = "/_ping" }.Uri;
            using HttpResponseMessage answer = await client.GetAsync(ping);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }
}
