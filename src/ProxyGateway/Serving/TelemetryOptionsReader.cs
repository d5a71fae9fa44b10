using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.Serving;

/// <summary>Reads <see cref="TelemetryOptions"/> from the section <c>Telemetry</c> and the environment variables of OpenTelemetry.</summary>
internal static class TelemetryOptionsReader
{
    private const string Grpc = "grpc";
    private const string HttpProtobuf = "http/protobuf";

    private static readonly string[] Signals = ["", "_METRICS", "_TRACES", "_LOGS"];

    /// <summary>
    /// The section as a part of the whole configuration. It is used at start only, but a reload with an error in it is refused.
    /// </summary>
    public static ConfigurationPart Part { get; } = ConfigurationPart.Of(TelemetryOptions.SectionName, Read);

    /// <summary>Reads the section and notes every error; after errors the result must not be used.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="errors">The list of errors.</param>
    public static TelemetryOptions Read(IConfiguration configuration, ConfigurationErrors errors)
    {
        var section = new SectionReader(configuration, TelemetryOptions.SectionName, errors);
        SectionReader otlp = section.Section("Otlp");
        SectionReader traces = section.Section("Traces");
        var defaults = new TelemetryOptions();
        Uri? endpoint = Endpoint(otlp);
        string? plain = PlainReceiver(configuration, endpoint);
        bool isOn = endpoint is not null || configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { Length: > 0 };
        var options = new TelemetryOptions
        {
            Prometheus = section.Choice("Prometheus", defaults.Prometheus),
            Endpoint = endpoint,
            IsHttp = IsHttp(otlp),
            HeadersFile = otlp.Value("HeadersFile"),
            TracesPercent = traces.Number("Percent", defaults.TracesPercent, new NumberRange(0, 100)),
            TracesPerSecond = traces.Number("PerSecond", defaults.TracesPerSecond, new NumberRange(1, 10_000)),
            ExportsMetrics = Exports(configuration, isOn, "METRICS"),
            ExportsTraces = Exports(configuration, isOn, "TRACES"),
            ExportsLogs = Exports(configuration, isOn, "LOGS"),
            PlainReceiver = plain,
            HasHeadersOfEnvironment = Array.Exists(Signals, signal => configuration[$"OTEL_EXPORTER_OTLP{signal}_HEADERS"] is { Length: > 0 }),
        };
        if (options.HeadersFile is { } file && string.IsNullOrWhiteSpace(file))
            errors.Add(otlp.PathOf("HeadersFile"), "is blank; allowed: a file with headers, as in Authorization=Bearer%20...");
        else if (options.HeadersFile is not null && plain is not null)
            errors.Add(otlp.PathOf("HeadersFile"), $"would be readable for all on the way, since {plain} is http; allowed: https, or http on a loopback host.");
        section.ReportUnknownKeys();
        return options;
    }

    // OpenTelemetry's general SDK configuration: none of a signal, or of all.
    private static bool Exports(IConfiguration configuration, bool isOn, string signal) =>
        (isOn || configuration[$"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"] is { Length: > 0 })
        && configuration[$"OTEL_{signal}_EXPORTER"] is null or "" or "otlp"
        && !string.Equals(configuration["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The key or variable that has telemetry leave this machine by plain http; null: none has.</summary>
    private static string? PlainReceiver(IConfiguration configuration, Uri? endpoint)
    {
        if (endpoint is not null)
            return IsPlain(endpoint) ? "Telemetry:Otlp:Endpoint" : null;
        return Signals.Select(signal => $"OTEL_EXPORTER_OTLP{signal}_ENDPOINT")
            .FirstOrDefault(name => Uri.TryCreate(configuration[name], UriKind.Absolute, out Uri? url) && IsPlain(url));
    }

    private static bool IsPlain(Uri url) => url.Scheme == Uri.UriSchemeHttp && !url.IsLoopback;

    private static Uri? Endpoint(SectionReader otlp)
    {
        const string name = "Endpoint";
        if (otlp.Value(name) is not { } text)
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0)
            return url;
        otlp.Errors.AddValue(otlp.PathOf(name), text, "the URL of an OTLP receiver, as in http://127.0.0.1:4317");
        return null;
    }

    private static bool? IsHttp(SectionReader otlp)
    {
        const string name = "Protocol";
        string? text = otlp.Value(name);
        if (text is not (null or Grpc or HttpProtobuf))
            otlp.Errors.AddValue(otlp.PathOf(name), text, $"{Grpc}, {HttpProtobuf}");
        return text is null ? null : text == HttpProtobuf;
    }
}
