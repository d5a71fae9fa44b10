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

    private static (TelemetryOptions Options, IReadOnlyCollection<string> Errors) Read(string json)
    {
        var errors = new ConfigurationErrors();
        return (TelemetryOptionsReader.Read(Configurations.Json(json), errors), errors.All);
    }
}
