using System.CommandLine;
using ProxyGateway.Benchmarks;
using ProxyGateway.Benchmarks.Cost;

return await new RootCommand("Measures what ProxyGateway promises.")
{
    CostBenchmark.Command(),
    RegistryBenchmark.Command(),
    FloodBenchmark.Command(),
    StalledBenchmark.Command(),
    FootprintBenchmark.Command(),
    ForwardBenchmark.Command(),
    EchoAgent.Command(),
}.Parse(args).InvokeAsync();
