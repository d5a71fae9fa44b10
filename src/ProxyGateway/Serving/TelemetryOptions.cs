namespace ProxyGateway.Serving;

/// <summary>The configuration of telemetry's export: section <c>Telemetry</c>, read and validated, with the environment variables of OpenTelemetry beneath.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Telemetry";

    /// <summary>Who may read <c>/metrics</c>.</summary>
    public PrometheusAccess Prometheus { get; init; }

    /// <summary>Where OTLP goes; null: as the environment variables say.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Whether it goes by HTTP with protobuf, and not by gRPC; null: as the environment variables say.</summary>
    public bool? IsHttp { get; init; }

    /// <summary>The file of additional headers, such as a token; null: as the environment variables say.</summary>
    public string? HeadersFile { get; init; }

    /// <summary>The key or variable that has telemetry leave this machine by plain http; null: none has.</summary>
    public string? PlainReceiver { get; init; }

    /// <summary>Whether there are headers in the environment, which OpenTelemetry sends unless there is <see cref="HeadersFile"/>.</summary>
    public bool HasHeadersOfEnvironment { get; init; }

    /// <summary>How many of 100 requests are traced.</summary>
    public int TracesPercent { get; init; } = 100;

    /// <summary>How many requests are traced in a second at most.</summary>
    public int TracesPerSecond { get; init; } = 100;

    /// <summary>Whether metrics go by OTLP.</summary>
    public bool ExportsMetrics { get; init; }

    /// <summary>Whether traces do.</summary>
    public bool ExportsTraces { get; init; }

    /// <summary>Whether log lines do.</summary>
    public bool ExportsLogs { get; init; }
}
