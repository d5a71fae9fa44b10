using System.Globalization;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Images;
using Microsoft.Extensions.Logging.Abstractions;
using Testcontainers.Redis;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>
/// A Redis in a container. <c>PROXYGATEWAY_TEST_REDIS_IMAGE</c> names its image, as <c>registry/repository:tag</c>: then it must start, unless
/// <c>PROXYGATEWAY_TEST_REDIS_NOTE</c> names a file, in which it then says why it did not. Otherwise it is one of Docker's official image where that can be had.
/// </summary>
internal static class RedisInContainer
{
    private const string ImageVariable = "PROXYGATEWAY_TEST_REDIS_IMAGE";
    private const string NoteVariable = "PROXYGATEWAY_TEST_REDIS_NOTE";
    private const string DefaultImage = "docker.io/library/redis:7.4-alpine";
    private static readonly TimeSpan MostTime = TimeSpan.FromMinutes(2); // to pull, and to start

    /// <summary>Starts one; null if no engine answers, or has no such image and cannot get it.</summary>
    public static async Task<(string EndPoint, IAsyncDisposable Container)?> TryStartAsync()
    {
        string? image = Environment.GetEnvironmentVariable(ImageVariable) is { Length: > 0 } named ? named : null;
        string? note = Environment.GetEnvironmentVariable(NoteVariable) is { Length: > 0 } file ? file : null;
        try
        {
            if (await ContainerEngine.FindAsync() is { } engine)
                return await StartAsync(image ?? DefaultImage, engine);
            return image is null ? null : throw new InvalidOperationException($"{ImageVariable} names {image}, but no container engine answers");
        }
        catch (Exception e) when (image is null || note is not null)
        {
            if (note is not null)
                await File.AppendAllTextAsync(note, $"{e.GetType().Name}: {e.Message}\n");
            return null;
        }
    }

    private static async Task<(string EndPoint, IAsyncDisposable Container)> StartAsync(string image, Uri engine)
    {
        RedisContainer container = new RedisBuilder(Parse(image))
            .WithDockerEndpoint(engine)
            .WithLogger(NullLogger.Instance)
            .WithCommand("--save", "", "--appendonly", "yes")
            .WithCreateParameterModifier(parameters => KeepOnLoopback(parameters, engine))
            .Build();
        try
        {
            using var timeout = new CancellationTokenSource(MostTime);
            await container.StartAsync(timeout.Token);
            string host = engine.Scheme == "unix" ? "127.0.0.1" : container.Hostname;
            return (string.Create(CultureInfo.InvariantCulture, $"{host}:{container.GetMappedPublicPort(RedisBuilder.RedisPort)}"), container);
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }
    }

    // Testcontainers reads a name by an expression that must be done in a second, and a busy machine may need longer.
    private static DockerImage Parse(string name)
    {
        int slash = name.IndexOf('/'), colon = name.LastIndexOf(':');
        if (slash < 0 || colon < slash)
            throw new InvalidOperationException($"{ImageVariable} is not like {DefaultImage}: {name}");
        return new DockerImage(name[(slash + 1)..colon], name[..slash], name[(colon + 1)..]);
    }

    // This Redis has no password. Others on the network must not reach it.
    private static void KeepOnLoopback(CreateContainerParameters parameters, Uri engine)
    {
        if (engine.Scheme != "unix" || parameters.HostConfig?.PortBindings is not { } ports)
            return;
        foreach (PortBinding binding in ports.Values.SelectMany(bindings => bindings))
            binding.HostIP = "127.0.0.1";
    }
}
