namespace ProxyGateway.Operating;

/// <summary>Reports the progress of a long command, a line each time, on the standard error, which scripts may discard.</summary>
internal static class Progress
{
    public static void Tell(string what, int done, int all) => Console.Error.WriteLine($"{done} of {all} {what} ...");
}
