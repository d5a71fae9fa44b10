using System.CommandLine;
using ProxyGateway.Benchmarks;

return await new RootCommand("Measures what ProxyGateway promises.") { RegistryBenchmark.Command(), FloodBenchmark.Command(), StalledBenchmark.Command() }.Parse(args).InvokeAsync();
