using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.Tests.Shared;

/// <summary>Adds up a counter of one meter factory, so that tests beside each other do not count each other's.</summary>
internal sealed class CountedDrops : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ServiceProvider? _services;
    private long _count;

    /// <param name="instrument">The counter.</param>
    public CountedDrops(string instrument)
        : this(instrument, new ServiceCollection().AddMetrics().BuildServiceProvider())
    {
    }

    /// <param name="instrument">The counter.</param>
    /// <param name="meters">Whose.</param>
    /// <param name="tag">Only what has this value of any tag; null: all.</param>
    public CountedDrops(string instrument, IMeterFactory meters, string? tag = null)
    {
        (Meters, Telemetry) = (meters, new GateTelemetry(meters, TimeProvider.System, NullLogger<GateTelemetry>.Instance));
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Name == instrument && published.Meter.Name == "ProxyGateway.DeviceAuth" && ReferenceEquals(published.Meter.Scope, Meters))
                listener.EnableMeasurementEvents(published);
        };
        _listener.SetMeasurementEventCallback<long>((_, measured, tags, _) =>
        {
            bool counts = tag is null;
            foreach ((_, object? value) in tags)
                counts |= Equals(value, tag);
            if (counts)
                Interlocked.Add(ref _count, measured);
        });
        _listener.Start();
    }

    private CountedDrops(string instrument, ServiceProvider services)
        : this(instrument, services.GetRequiredService<IMeterFactory>()) => _services = services;

    public IMeterFactory Meters { get; }

    /// <summary>Makes instruments of this meter factory.</summary>
    public GateTelemetry Telemetry { get; }

    public long Count => Interlocked.Read(ref _count);

    public void Dispose()
    {
        _listener.Dispose();
        _services?.Dispose();
    }
}
