namespace ProxyGateway.Connecting.Mcp;

/// <summary>What bounds the memory and the patience of <c>proxygateway mcp</c>.</summary>
internal static class McpLimits
{
    /// <summary>Of a message, in bytes, either way.</summary>
    public const int MessageBytes = 32 * 1024 * 1024;

    /// <summary>Of all requests under way together.</summary>
    public const int BytesUnderWay = 2 * MessageBytes;

    /// <summary>Requests under way: as many as a gateway lets a device have.</summary>
    public const int UnderWay = 64;

    /// <summary>How long a message waits for a gateway that does not answer, or is busy. Hosts give up after a minute.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The same for the first messages: hosts give up on a program that does not start within ten seconds.</summary>
    public static readonly TimeSpan PatienceAtStart = TimeSpan.FromSeconds(8);

    /// <summary>How long requests under way may go on once the standard input has ended.</summary>
    public static readonly TimeSpan LastWait = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);

    /// <summary>The shortest pause that a server can ask for before the rest of a stream.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(0.1);

    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>The longest while somebody waits for an answer.</summary>
    public static readonly TimeSpan LongestPauseOfRequest = TimeSpan.FromSeconds(2);

    /// <summary>The next pause after a failure.</summary>
    public static TimeSpan After(TimeSpan pause, TimeSpan longest) => pause * 2 < longest ? pause * 2 : longest;
}
