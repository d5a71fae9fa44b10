using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using ProxyGateway.Steps;

// All of them, unless the arguments choose: without a filter BenchmarkDotNet would ask.
string[] arguments = args.Any(a => a is "-f" or "--filter") ? args : [.. args, "--filter", "*"];
Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(StepConfig).Assembly).Run(arguments, new StepConfig())];
return summaries.All(s => !s.HasCriticalValidationErrors && s.Reports.All(r => r.Success)) ? 0 : 1;
