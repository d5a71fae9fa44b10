using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.Serving;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Serving;

public sealed class TelemetryOptionsReaderTests
{
    [Fact]
    public void Nothing_is_exported_unless_it_is_configured()
    {
        (TelemetryOptions options, IReadOnlyCollection<string> errors) = Read("{}");

        errors.ShouldBeEmpty();
        options.ShouldBe(new TelemetryOptions());
        options.Prometheus.ShouldBe(PrometheusAccess.Off);
    }

    [Theory]
    [InlineData("""{"Telemetry":{"Otlp":{"Endpoint":"http://127.0.0.1:4317"}}}""", true, true, true)]
    [InlineData("""{"OTEL_EXPORTER_OTLP_ENDPOINT":"http://127.0.0.1:4317"}""", true, true, true)]
    [InlineData("""{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":"http://127.0.0.1:4317"}""", false, true, false)]
    [InlineData("""{"OTEL_EXPORTER_OTLP_ENDPOINT":"http://127.0.0.1:4317","OTEL_LOGS_EXPORTER":"none"}""", true, true, false)]
    [InlineData("""{"OTEL_EXPORTER_OTLP_ENDPOINT":"http://127.0.0.1:4317","OTEL_SDK_DISABLED":"true"}""", false, false, false)]
    public void Signals_go_where_a_key_or_the_environment_says(string json, bool metrics, bool traces, bool logs)
    {
        (TelemetryOptions options, IReadOnlyCollection<string> errors) = Read(json);

        errors.ShouldBeEmpty();
        (options.ExportsMetrics, options.ExportsTraces, options.ExportsLogs).ShouldBe((metrics, traces, logs));
    }

    [Theory]
    [InlineData("""{"Telemetry":{"Prometheus":"On"}}""", "Telemetry:Prometheus")]
    [InlineData("""{"Telemetry":{"Otlp":{"Endpoint":"127.0.0.1:4317"}}}""", "Telemetry:Otlp:Endpoint")]
    [InlineData("""{"Telemetry":{"Otlp":{"Endpoint":"ftp://127.0.0.1"}}}""", "Telemetry:Otlp:Endpoint")]
    [InlineData("""{"Telemetry":{"Otlp":{"Endpoint":"http://user:word@127.0.0.1"}}}""", "Telemetry:Otlp:Endpoint")]
    [InlineData("""{"Telemetry":{"Otlp":{"Protocol":"http/json"}}}""", "Telemetry:Otlp:Protocol")]
    [InlineData("""{"Telemetry":{"Otlp":{"HeadersFile":" "}}}""", "Telemetry:Otlp:HeadersFile")]
    [InlineData("""{"Telemetry":{"Otlp":{"Headers":"a=b"}}}""", "Telemetry:Otlp:Headers")]
    [InlineData("""{"Telemetry":{"Traces":{"Percent":"101"}}}""", "Telemetry:Traces:Percent")]
    [InlineData("""{"Telemetry":{"Traces":{"PerSecond":"0"}}}""", "Telemetry:Traces:PerSecond")]
    public void A_wrong_key_is_named(string json, string path) => Read(json).Errors.ShouldHaveSingleItem().ShouldStartWith(path);

    // The file holds a token: on plain http everybody on the way has it.
    [Theory]
    [InlineData("http://collector:4317", null, false)]
    [InlineData("http://192.0.2.1:4317", null, false)]
    [InlineData(null, "OTEL_EXPORTER_OTLP_ENDPOINT", false)]
    [InlineData(null, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", false)]
    [InlineData("https://collector:4317", null, true)]
    [InlineData("https://collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT", true)] // the key goes before it
    [InlineData("http://localhost:4317", null, true)]
    [InlineData("http://127.0.0.2:4317", null, true)]
    [InlineData("http://[::1]:4317", null, true)]
    public void A_file_of_headers_goes_over_plain_http_to_this_machine_alone(string? endpoint, string? variable, bool isAllowed)
    {
        string file = endpoint is null ? "" : $", \"Endpoint\": \"{endpoint}\"";
        string environment = variable is null ? "" : $", \"{variable}\": \"http://collector:4317\"";
        string json = $$"""{ "Telemetry": { "Otlp": { "HeadersFile": "/etc/headers"{{file}} } }{{environment}} }""";

        IReadOnlyCollection<string> errors = Read(json).Errors;

        if (isAllowed)
            errors.ShouldBeEmpty();
        else
            errors.ShouldHaveSingleItem().ShouldBe($"Telemetry:Otlp:HeadersFile: would be readable for all on the way, since {variable ?? "Telemetry:Otlp:Endpoint"} is http; allowed: https, or http on a loopback host.");
    }

    [Theory]
    [InlineData("http://collector:4317", "OTEL_EXPORTER_OTLP_HEADERS", true)]
    [InlineData("http://collector:4317", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", true)]
    [InlineData("http://collector:4317", "OTEL_EXPORTER_OTLP_TIMEOUT", false)]
    [InlineData("https://collector:4317", "OTEL_EXPORTER_OTLP_HEADERS", false)]
    [InlineData("http://localhost:4317", "OTEL_EXPORTER_OTLP_HEADERS", false)]
    public void Headers_of_the_environment_are_OpenTelemetrys_and_there_is_a_warning(string endpoint, string variable, bool isWarned)
    {
        (TelemetryOptions options, IReadOnlyCollection<string> errors) = Read($$"""{"OTEL_EXPORTER_OTLP_ENDPOINT":"{{endpoint}}","{{variable}}":"authorization=token"}""");
        var log = new Lines();

        TelemetryExport.Warn(options, log);

        errors.ShouldBeEmpty();
        log.ShouldBe(isWarned ? ["1404 The headers in OTEL_EXPORTER_OTLP_HEADERS are readable for all on the way to the receiver of telemetry, since OTEL_EXPORTER_OTLP_ENDPOINT is http. If they hold a token, use https."] : []);
    }

    private static (TelemetryOptions Options, IReadOnlyCollection<string> Errors) Read(string json)
    {
        var errors = new ConfigurationErrors();
        return (TelemetryOptionsReader.Read(Configurations.Json(json), errors), errors.All);
    }

    private sealed class Lines : List<string>, ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Add($"{eventId.Id} {formatter(state, exception)}");
    }
}
