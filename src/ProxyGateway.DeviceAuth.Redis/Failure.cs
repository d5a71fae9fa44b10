using System.Net.Sockets;
using System.Security.Authentication;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>What the client library throws when Redis cannot be used, in words for whoever runs it. They never hold a password.</summary>
internal static class Failure
{
    private static readonly Cause PasswordRefused = new(RegistryFault.PasswordRefused, "Redis refuses the user or the password.");
    private static readonly Cause OurCertificateRefused = new(RegistryFault.CertificateRefused, "Redis refuses the gateway's certificate, or wants one.");
    private static readonly Cause NotReachable = new(RegistryFault.NotReachable, "Redis is not reachable.");
    public static readonly Cause Unknown = new(RegistryFault.Unknown, "Redis cannot be used.");
    private static readonly Cause Slow = new(RegistryFault.Unknown, "Redis is too slow.");

    public static bool IsOne(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or SocketException or IOException;

    /// <summary>What to say of a failure.</summary>
    /// <param name="e">What was thrown.</param>
    /// <param name="isConnected">Whether there is a connection, so that a time-out is one of the server's.</param>
    /// <param name="trouble">Why the last attempt to connect failed, as far as that is known. The exception may hold none, or that of an attempt long ago.</param>
    public static Cause Describe(Exception e, bool isConnected, Cause? trouble)
    {
        if (CausesOf(e).OfType<RedisServerException>().FirstOrDefault() is { } refusal && !IsAboutPassword(refusal))
            return new Cause(RegistryFault.Unknown, $"Redis refuses: {refusal.Message}");
        if (e is TimeoutException && isConnected)
            return Slow;
        return (isConnected ? null : trouble) ?? CauseOf(e) ?? trouble ?? (e is TimeoutException ? Slow : Unknown);
    }

    /// <summary>Why there is no connection; null if this does not say. A connection that merely ended says nothing: the library ends those that were refused, too.</summary>
    public static Cause? CauseOf(Exception e)
    {
        Exception[] causes = [.. CausesOf(e)];
        if (causes.Any(IsAboutOurCertificate))
            return OurCertificateRefused;
        if (causes.OfType<AuthenticationException>().FirstOrDefault() is { } tls)
        {
            return tls.Message.Contains("certificate", StringComparison.Ordinal)
                ? new Cause(RegistryFault.CertificateRefused, $"Redis is not trusted: {tls.Message}")
                : new Cause(RegistryFault.Unknown, $"TLS with Redis fails: {tls.Message}");
        }

        if (causes.Any(IsAboutPassword))
            return PasswordRefused;
        return causes.OfType<SocketException>().Any(s => s.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostNotFound
            or SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.TryAgain or SocketError.NoData or SocketError.TimedOut)
            ? NotReachable
            : null;
    }

    // NOAUTH: there was no password, or a wrong one; the library goes on to ask after that. The failure type alone says nothing: TLS has the same.
    private static bool IsAboutPassword(Exception e) =>
        e.Message.Contains("NOAUTH ", StringComparison.Ordinal) || e.Message.Contains("WRONGPASS ", StringComparison.Ordinal);

    // TLS 1.3 has the client told after its handshake, when it reads.
    private static bool IsAboutOurCertificate(Exception e) =>
        e.Message.Contains(" alert ", StringComparison.Ordinal)
        && (e.Message.Contains("certificate", StringComparison.Ordinal) || e.Message.Contains("unknown ca", StringComparison.Ordinal));

    private static IEnumerable<Exception> CausesOf(Exception e)
    {
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
            yield return cause;
    }
}
