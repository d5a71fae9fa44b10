using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Serving;

/// <summary>Exports metrics, traces and log lines, as far as that is configured; else it adds nothing.</summary>
internal static partial class TelemetryExport
{
    private const string DefaultServiceName = "proxygateway";
    private const string ScrapePath = "/metrics";

    // Where a listener has several addresses, server.address is the one that the client has connected to: of a whole network on loopback, any that it likes.
    private static readonly string[] TagsOfKestrel =
        ["server.port", "network.type", "network.transport", "network.protocol.name", "network.protocol.version", "tls.protocol.version", "error.type"];

    // Of the framework's instruments, those that are recorded with each request or connection and say what others say already: about a third of all records.
    private static readonly string[] LeftOut =
    [
        "http.client.active_requests", "http.client.connection.duration", "http.client.open_connections", "http.client.request.time_in_queue",
        "kestrel.queued_connections", "kestrel.queued_requests", "kestrel.upgraded_connections",
    ];

    /// <summary>Adds what exports.</summary>
    /// <param name="builder">The gateway.</param>
    /// <param name="options">The options.</param>
    /// <exception cref="InvalidDataException">The file of headers is invalid; the message says why.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static void Add(WebApplicationBuilder builder, TelemetryOptions options)
    {
        bool hasMetrics = options.ExportsMetrics || options.Prometheus != PrometheusAccess.Off;
        if (!hasMetrics && !options.ExportsTraces && !options.ExportsLogs)
            return;
        string? headers = options.HeadersFile is { } file ? ReadHeaders(Path.GetFullPath(file, builder.Environment.ContentRootPath)) : null;
        IOpenTelemetryBuilder telemetry = builder.Services.AddOpenTelemetry().ConfigureResource(Describe);
        if (hasMetrics)
            telemetry.WithMetrics(metrics => AddMetrics(metrics, options, headers));
        if (options.ExportsTraces)
            telemetry.WithTracing(traces => AddTraces(traces, options, headers));
        if (options.ExportsLogs)
        {
            telemetry.WithLogging(
                logs => logs.AddProcessor(new ShortDeviceIds()).AddOtlpExporter(exporter => Configure(exporter, options, headers, "v1/logs")),
                log => log.IncludeFormattedMessage = true);
        }
    }

    /// <summary>Warns of what is OpenTelemetry's to decide, and may still be wrong.</summary>
    /// <param name="options">The options.</param>
    /// <param name="logger">The log.</param>
    public static void Warn(TelemetryOptions options, ILogger logger)
    {
        if (options is { PlainReceiver: { } receiver, HasHeadersOfEnvironment: true, HeadersFile: null })
            LogPlainHeaders(logger, receiver);
    }

    /// <summary>Adds <c>/metrics</c> to the operators' application.</summary>
    /// <param name="endpoints">That application.</param>
    /// <param name="gateway">The gateway's services.</param>
    /// <param name="access">Who may read it.</param>
    public static void MapScraping(IEndpointRouteBuilder endpoints, IServiceProvider gateway, PrometheusAccess access)
    {
        if (access == PrometheusAccess.Off)
            return;
        IEndpointConventionBuilder scraping = endpoints.MapPrometheusScrapingEndpoint(ScrapePath, gateway.GetRequiredService<MeterProvider>(), configureBranchedPipeline: null, optionsName: null)
            .WithMetadata(new HttpMethodMetadata([HttpMethods.Get]));
        if (access == PrometheusAccess.Open)
            scraping.AllowAnonymous(); // else the operators' application wants a key
    }

    private static MetricStreamConfiguration? Shape(Instrument instrument) =>
        LeftOut.Contains(instrument.Name) ? MetricStreamConfiguration.Drop
        : instrument.Name.StartsWith("kestrel.", StringComparison.Ordinal) ? new MetricStreamConfiguration { TagKeys = TagsOfKestrel }
        : null;

    private static void Describe(ResourceBuilder resource) => resource
        .Clear()
        .AddService(DefaultServiceName, serviceVersion: typeof(TelemetryExport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion)
        .AddTelemetrySdk()
        .AddEnvironmentVariableDetector(); // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before

    private static void AddMetrics(MeterProviderBuilder metrics, TelemetryOptions options, string? headers)
    {
        metrics
            .AddMeter(Telemetry.MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime")
            .AddView(Shape);
        if (options.ExportsMetrics)
            metrics.AddOtlpExporter(exporter => Configure(exporter, options, headers, "v1/metrics"));
        if (options.Prometheus != PrometheusAccess.Off)
            metrics.AddPrometheusExporter();
    }

    private static void AddTraces(TracerProviderBuilder traces, TelemetryOptions options, string? headers) => traces
        .AddSource(Telemetry.ActivitySourceName, "Microsoft.AspNetCore", "Yarp.ReverseProxy")
        .SetSampler(new BoundedSampler(options.TracesPercent, options.TracesPerSecond, TimeProvider.System))
        .AddProcessor(new SpanCleaner())
        .AddOtlpExporter(exporter => Configure(exporter, options, headers, "v1/traces"));

    private static void Configure(OtlpExporterOptions exporter, TelemetryOptions options, string? headers, string path)
    {
        if (options.IsHttp is { } isHttp)
            exporter.Protocol = isHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        if (options.Endpoint is { } endpoint)
            exporter.Endpoint = exporter.Protocol == OtlpExportProtocol.HttpProtobuf ? new Uri($"{endpoint.AbsoluteUri.TrimEnd('/')}/{path}") : endpoint;
        if (headers is not null)
            exporter.Headers = headers;
    }

    private static string ReadHeaders(string path)
    {
        string text = PrivateFile.Read(path) ?? throw new IOException($"There is no file {path} with the headers of Telemetry:Otlp:HeadersFile.");
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length > 0 && Array.TrueForAll(lines, line => line.IndexOf('=', StringComparison.Ordinal) > 0)
            ? string.Join(',', lines)
            : throw new InvalidDataException($"{path} holds no headers: one on each line, as in Authorization=Bearer%20...");
    }

    [LoggerMessage(1404, LogLevel.Warning, "The headers in OTEL_EXPORTER_OTLP_HEADERS are readable for all on the way to the receiver of telemetry, since {Receiver} is http. If they hold a token, use https.")]
    private static partial void LogPlainHeaders(ILogger logger, string receiver);
}
