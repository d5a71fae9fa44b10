using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>What the client library throws when Redis cannot be used, in words for whoever runs it. They never hold a password.</summary>
internal static class Failure
{
    private const string Unknown = "Redis cannot be used.";

    /// <summary>Whether it says why.</summary>
    public static bool IsExplained(Exception e) => Describe(e) != Unknown;

    public static bool IsOne(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or SocketException or IOException;

    public static string Describe(Exception e)
    {
        Exception[] causes = [.. CausesOf(e)];
        if (causes.OfType<RedisServerException>().FirstOrDefault() is { } refusal)
            return $"Redis refuses: {refusal.Message}";
        if (causes.OfType<AuthenticationException>().FirstOrDefault() is { } tls)
            return $"Redis is not trusted: {tls.Message}";
        if (causes.OfType<RedisConnectionException>().Any(c => c.FailureType == ConnectionFailureType.AuthenticationFailure))
            return "Redis refuses the user or the password.";
        return e is TimeoutException ? "Redis is too slow." : Unknown;
    }

    private static IEnumerable<Exception> CausesOf(Exception e)
    {
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
            yield return cause;
    }
}
