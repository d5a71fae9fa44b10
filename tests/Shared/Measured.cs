using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace ProxyGateway.Tests.Shared;

/// <summary>Hears every instrument of the gateway's meter that one factory makes: its series, as in <c>name a=1 b=2</c>, and how often each was recorded.</summary>
internal sealed class Measured : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, double> _series = [];
    private readonly ConcurrentDictionary<string, Instrument> _instruments = [];

    /// <param name="meters">The factory; null: of all.</param>
    public Measured(IMeterFactory? meters = null)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name != "ProxyGateway.DeviceAuth" || (meters is not null && !ReferenceEquals(instrument.Meter.Scope, meters)))
                return;
            _instruments[instrument.Name] = instrument;
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The instruments that were made.</summary>
    public IReadOnlyCollection<Instrument> Instruments => [.. _instruments.Values];

    /// <summary>The series that were recorded; of instruments that observe, those of this moment.</summary>
    public IReadOnlyCollection<string> Series
    {
        get
        {
            _listener.RecordObservableInstruments();
            return [.. _series.Keys.Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The sum of a counter's series, the count of a histogram's, or the last value that was observed.</summary>
    public double Of(string series)
    {
        _listener.RecordObservableInstruments();
        return _series.GetValueOrDefault(series);
    }

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string name = instrument.Name;
        foreach ((string key, object? of) in tags)
            name += $" {key[(key.LastIndexOf('.') + 1)..]}={of}";
        if (instrument.IsObservable)
            _series[name] = value;
        else
            _series.AddOrUpdate(name, _ => Counted(), (_, before) => before + Counted());

        double Counted() => instrument.GetType().Name.StartsWith("Histogram", StringComparison.Ordinal) ? 1 : value;
    }
}
