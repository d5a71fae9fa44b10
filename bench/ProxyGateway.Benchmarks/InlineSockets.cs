namespace ProxyGateway.Benchmarks;

/// <summary>Has this process answer what its sockets receive on the thread that is told of it, so that making load takes less of the machine that is measured.</summary>
internal static class InlineSockets
{
    /// <summary>Read once by .NET, before the first socket.</summary>
    public const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    public static void Use() => Environment.SetEnvironmentVariable(Variable, "1");
}
