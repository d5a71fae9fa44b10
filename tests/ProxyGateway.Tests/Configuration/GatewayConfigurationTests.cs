using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.Tests.Configuration;

/// <summary>A reload is taken whole or not at all, whatever part of it is wrong.</summary>
public sealed class GatewayConfigurationTests : IDisposable
{
    private readonly Layer _layer = new();
    private readonly RefusedReloads _log = new();
    private int _partsTold;

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData("Left", "Right")]
    [InlineData("Right", "Left")]
    public void An_error_in_one_part_keeps_the_previous_snapshot_of_all(string wrong, string right)
    {
        using GatewayConfiguration configuration = Start();
        ConfigurationSnapshot before = configuration.Current;

        Set("Left", "2");
        Set("Right", "2");
        Set(wrong, "none");
        _layer.Announce();

        configuration.Current.ShouldBeSameAs(before);
        _partsTold.ShouldBe(0);
        _log.Texts.ShouldBe(
            [
                $"{wrong}: {wrong}:Number: found \"none\"; allowed: a whole number from 1 to 1000.",
                $"{right}: {right}: is in order, but not the rest of the configuration, and a reload is taken as a whole.",
            ],
            ignoreOrder: true);

        Set(wrong, "2");
        _layer.Announce();
        Numbers(configuration.Current).ShouldBe((2, 2));
        _partsTold.ShouldBe(1);
    }

    [Fact]
    public void All_errors_are_reported_at_start()
    {
        Set("Left", "none");
        Set("Right", "0");

        Should.Throw<InvalidConfigurationException>(() => Start()).Errors.Select(e => e.Split(':')[0]).ShouldBe(["Left", "Right"]);
    }

    [Fact]
    public void A_layer_that_became_empty_keeps_the_previous_snapshot()
    {
        Set("Left", "2");
        var beneath = new Layer();
        beneath.Set("Right:Number", "3");
        using GatewayConfiguration configuration = Start(beneath, _layer);

        _layer.Clear();
        beneath.Set("Right:Number", "4");
        _layer.Announce();

        Numbers(configuration.Current).ShouldBe((2, 3));
        _log.Texts.ShouldContain(t => t.StartsWith("Left: ", StringComparison.Ordinal) && t.Contains("is empty now", StringComparison.Ordinal));
    }

    [Fact]
    public void A_reload_between_reading_and_following_is_applied()
    {
        var errors = new ConfigurationErrors();
        using var configuration = GatewayConfiguration.Read(new ConfigurationBuilder().Add(_layer).Build(), Parts, errors);
        Set("Left", "2");
        _layer.Announce();

        configuration.Follow(Logger);

        Numbers(configuration.Current).ShouldBe((2, 1));
    }

    [Fact]
    public async Task A_reader_sees_both_parts_of_the_same_reload()
    {
        using GatewayConfiguration configuration = Start();
        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            int last = 0;
            while (!stop.IsCancellationRequested)
            {
                (int left, int right) = Numbers(configuration.Current);
                left.ShouldBe(right);
                left.ShouldBeGreaterThanOrEqualTo(last);
                last = left;
            }
        })).ToArray();

        for (int i = 1; i <= 500; i++)
        {
            _layer.SetAll(("Left:Number", $"{i}"), ("Right:Number", $"{i}"));
            _layer.Announce();
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Numbers(configuration.Current).ShouldBe((500, 500));
    }

    [Fact]
    public void A_failed_listener_of_a_reload_does_not_stop_the_others()
    {
        using GatewayConfiguration configuration = GatewayConfiguration.Start(new ConfigurationBuilder().Add(_layer).Build(), Parts, Logger);
        configuration.Taken += (_, _) => throw new InvalidOperationException("a bug");
        configuration.Taken += (_, _) => _partsTold++;

        Set("Left", "2");
        Should.NotThrow(_layer.Announce);

        Numbers(configuration.Current).ShouldBe((2, 1));
        _partsTold.ShouldBe(1);
        _log.Texts.ShouldHaveSingleItem().ShouldContain("failed to handle");
    }

    [Fact]
    public void A_part_that_cannot_be_read_at_all_is_an_error_like_any_other()
    {
        using GatewayConfiguration configuration = Start();
        ConfigurationSnapshot before = configuration.Current;
        _layer.Set("Left:Fails", "yes");

        Should.NotThrow(_layer.Announce);

        configuration.Current.ShouldBeSameAs(before);
        _log.Texts.ShouldContain(t => t.Contains("not a number at all", StringComparison.Ordinal));
    }

    private static (int Left, int Right) Numbers(ConfigurationSnapshot snapshot) => (snapshot.Get<Left>().Number, snapshot.Get<Right>().Number);

    private static ConfigurationPart[] Parts =>
    [
        ConfigurationPart.Of("Left", (all, errors) => new Left(Read(all, "Left", errors)), LogRefused("Left")),
        ConfigurationPart.Of("Right", (all, errors) => new Right(Read(all, "Right", errors)), LogRefused("Right")),
    ];

    private static int Read(IConfiguration all, string section, ConfigurationErrors errors) => all[$"{section}:Fails"] is not null
        ? throw new OverflowException("not a number at all")
        : new SectionReader(ConfigurationLayers.Of(all), section, errors).Number("Number", 1, new NumberRange(1, 1000));

    private static Action<ILogger, string> LogRefused(string part) => (logger, error) => logger.Log(LogLevel.Error, 0, $"{part}: {error}", null, (text, _) => text);

    private Logger<GatewayConfiguration> Logger => new(new LoggerFactory([_log]));

    private GatewayConfiguration Start() => Start(_layer);

    private GatewayConfiguration Start(params ReadOnlySpan<Layer> layers)
    {
        var builder = new ConfigurationBuilder();
        foreach (Layer layer in layers)
            builder.Add(layer);
        var configuration = GatewayConfiguration.Start(builder.Build(), Parts, Logger);
        configuration.Taken += (_, _) => _partsTold++;
        return configuration;
    }

    private void Set(string section, string value) => _layer.Set($"{section}:Number", value);

    private sealed record Left(int Number);

    private sealed record Right(int Number);

    private sealed class Layer : ConfigurationProvider, IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

        public void Announce() => OnReload();

        public void Clear() => Data.Clear();

        public void SetAll(params (string Key, string? Value)[] values) =>
            Data = values.ToDictionary(v => v.Key, v => v.Value, StringComparer.OrdinalIgnoreCase);
    }

    private sealed class RefusedReloads : ILoggerProvider, ILogger
    {
        public List<string> Texts { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Texts.Add(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
