using System.CommandLine;
using ProxyGateway.Benchmarks;

return await new RootCommand("Measures what ProxyGateway promises.") { RegistryBenchmark.Command() }.Parse(args).InvokeAsync();
