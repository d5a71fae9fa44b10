using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.Serving;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>What libraries log is paced for every provider, and filters still mean the providers that they name.</summary>
public sealed class PacedLibrariesTests
{
    [Theory]
    [InlineData("Yarp.ReverseProxy.Forwarder.HttpForwarder", PacedLogger.LinesPerMinute)]
    [InlineData("Microsoft.AspNetCore.Server.Kestrel", PacedLogger.LinesPerMinute)]
    [InlineData("System.Net.Http.HttpClient.Default.ClientHandler", PacedLogger.LinesPerMinute)]
    [InlineData("ProxyGateway.DeviceAuth.Admin.AdminLog", 100)]
    [InlineData("Microsoft.Hosting.Lifetime", 100)]
    public void Categories_of_libraries_are_limited(string category, int written)
    {
        using var one = new CapturedLog();
        using var other = new CapturedLog();
        using ServiceProvider services = Services(logging => logging.AddProvider(one).AddProvider(other));

        for (int i = 0; i < 100; i++)
            services.GetRequiredService<ILoggerFactory>().CreateLogger(category).LogWarning(new EventId(48), "a line");

        one.Lines.Count.ShouldBe(written);
        other.Lines.Count.ShouldBe(written);
        services.Dispose();
        one.Lines.Count(l => l.Id.Id == 1900).ShouldBe(written < 100 ? 1 : 0, "the end tells what was left out");
    }

    [Fact]
    public void A_filter_finds_the_provider_that_it_names()
    {
        using var log = new CapturedLog();
        using ServiceProvider services = Services(logging => logging.AddProvider(log).AddFilter<CapturedLog>("Yarp", LogLevel.Error));
        ILogger logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Yarp.ReverseProxy");

        logger.LogWarning(new EventId(48), "not wanted");
        logger.LogError(new EventId(48), "wanted");

        log.Lines.ShouldHaveSingleItem().Text.ShouldBe("wanted");
    }

    private static ServiceProvider Services(Action<ILoggingBuilder> configure)
    {
        var services = new ServiceCollection();
        services.AddLogging(configure);
        PacedLibraries.Add(services);
        return services.BuildServiceProvider();
    }
}
