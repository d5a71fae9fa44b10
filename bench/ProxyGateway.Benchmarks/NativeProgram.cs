using System.CommandLine;

namespace ProxyGateway.Benchmarks;

/// <summary>The native program, which <c>bench/run</c> publishes where a measurement takes it.</summary>
internal static class NativeProgram
{
    private const string Published = "artifacts/native/proxygateway";

    public static Option<FileInfo> Option { get; } = new("--native") { Description = "The native program", DefaultValueFactory = _ => new FileInfo(Published) };
}
