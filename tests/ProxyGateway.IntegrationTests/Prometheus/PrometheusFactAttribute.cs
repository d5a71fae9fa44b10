namespace ProxyGateway.IntegrationTests.Prometheus;

/// <summary>A test that needs Prometheus; skipped where there is none. <c>./test</c> installs it.</summary>
internal sealed class PrometheusFactAttribute : FactAttribute
{
    public PrometheusFactAttribute()
    {
        if (RunningPrometheus.Path is null)
            Skip = "There is no prometheus on the PATH.";
    }
}
