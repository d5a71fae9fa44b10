namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>
/// The program that tests start as a process: the one that was built with them, or the native one that <c>PROXYGATEWAY_TEST_PROGRAM</c> names
/// (<c>./test --native</c>).
/// </summary>
internal static class BuiltProgram
{
    public const string Gateway = "proxygateway.dll";

    private static readonly string? Native = Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_PROGRAM") is { Length: > 0 } path ? Path.GetFullPath(path) : null;

    /// <summary>What starts one of the programs beside the tests.</summary>
    public static string[] Command(string dll = Gateway) =>
        Native is { } native && dll == Gateway ? [native] : ["dotnet", Path.Combine(AppContext.BaseDirectory, dll)];

    /// <summary>What starts the gateway, as a shell reads it.</summary>
    public static string Line => string.Join(' ', Command());
}
