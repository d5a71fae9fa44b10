namespace ProxyGateway.Operating;

/// <summary>How far a command is that takes a while: a line each time, on the standard error, which scripts may throw away.</summary>
internal static class Progress
{
    public static void Tell(string what, int done, int all) => Console.Error.WriteLine($"{done} of {all} {what} ...");
}
