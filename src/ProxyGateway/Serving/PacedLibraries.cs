using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Serving;

/// <summary>
/// Limits the log lines of libraries (YARP, Kestrel, .NET's HTTP client): strangers cause these lines too. The gateway's own classes limit
/// theirs where needed. This wraps the logger factory and not each provider: a filter such as <c>Logging:Console:LogLevel</c> finds a
/// provider by its type, which a wrapper would hide.
/// </summary>
internal sealed class PacedLibraries(LoggerFactory inner, TimeProvider time) : ILoggerFactory
{
    // One for each category, shared by all its loggers.
    private readonly ConcurrentDictionary<string, Lazy<PacedLogger>> _paced = new(StringComparer.Ordinal);

    /// <summary>Makes this factory create every logger of these services, for all providers.</summary>
    public static void Add(IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<LoggerFactory>();
        services.Replace(ServiceDescriptor.Singleton<ILoggerFactory, PacedLibraries>());
    }

    public ILogger CreateLogger(string categoryName) => IsPaced(categoryName)
        ? _paced.GetOrAdd(categoryName, static (name, of) => new Lazy<PacedLogger>(() => new PacedLogger(of.inner.CreateLogger(name), of.time)), (inner, time)).Value
        : inner.CreateLogger(categoryName);

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    /// <summary>Writes the remaining counts. The container disposes of the inner factory and its providers.</summary>
    public void Dispose()
    {
        foreach (Lazy<PacedLogger> paced in _paced.Values)
            paced.Value.Dispose();
    }

    private static bool IsPaced(string category) =>
        !category.StartsWith("ProxyGateway.", StringComparison.Ordinal) && category != "Microsoft.Hosting.Lifetime";
}
