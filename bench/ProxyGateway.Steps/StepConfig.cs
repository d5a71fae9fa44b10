using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using Perfolizer.Horology;

namespace ProxyGateway.Steps;

/// <summary>Short runs: all steps in two minutes. What a step allocates hardly varies even so; times do, on a busy machine. Reports go to <c>artifacts/</c>.</summary>
internal sealed class StepConfig : ManualConfig
{
    public StepConfig()
    {
        AddJob(Job.Default.WithWarmupCount(3).WithIterationCount(5).WithIterationTime(TimeInterval.FromMilliseconds(200)));
        AddDiagnoser(MemoryDiagnoser.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddExporter(MarkdownExporter.GitHub);
        AddLogger(ConsoleLogger.Default);
        ArtifactsPath = Path.Combine("artifacts", "steps");
    }
}
