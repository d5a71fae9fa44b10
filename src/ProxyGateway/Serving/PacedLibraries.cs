using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Serving;

/// <summary>
/// Paces what libraries log (YARP, Kestrel, .NET's HTTP client): strangers cause these lines too. The gateway's own classes pace themselves
/// where they have to. It stands before the filters, not before each provider: a filter such as <c>Logging:Console:LogLevel</c> names a
/// provider by its type, which would no longer be found.
/// </summary>
internal sealed class PacedLibraries(LoggerFactory inner, TimeProvider time) : ILoggerFactory
{
    // One for each category, so that whoever asks for it shares its pace.
    private readonly ConcurrentDictionary<string, Lazy<PacedLogger>> _paced = new(StringComparer.Ordinal);

    /// <summary>Has every logger of these services, whatever its provider, made by this factory.</summary>
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

    /// <summary>Tells what was left out. The container disposes of the factory behind this one, and of its providers.</summary>
    public void Dispose()
    {
        foreach (Lazy<PacedLogger> paced in _paced.Values)
            paced.Value.Dispose();
    }

    private static bool IsPaced(string category) =>
        !category.StartsWith("ProxyGateway.", StringComparison.Ordinal) && category != "Microsoft.Hosting.Lifetime";
}
