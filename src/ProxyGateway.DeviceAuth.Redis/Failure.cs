using System.Net.Sockets;
using System.Security.Authentication;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Turns exceptions of the client library into words for operators. They never hold a password.</summary>
internal static class Failure
{
    private static readonly Cause PasswordRefused = new(RegistryFault.PasswordRefused, "Redis refuses the user or the password.");
    private static readonly Cause OurCertificateRefused = new(RegistryFault.CertificateRefused, "Redis refuses the gateway's certificate, or wants one.");
    private static readonly Cause NotReachable = new(RegistryFault.NotReachable, "Redis is not reachable.");
    public static readonly Cause Unknown = new(RegistryFault.Unknown, "Redis cannot be used.");
    private static readonly Cause Slow = new(RegistryFault.Unknown, "Redis is too slow.");

    public static bool IsOne(Exception e) =>
        e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or SocketException or IOException;

    /// <summary>Describes a failure.</summary>
    /// <param name="e">The exception.</param>
    /// <param name="isConnected">Whether there is a connection, so that a time-out is the server's.</param>
    /// <param name="trouble">Why the last attempt to connect failed, if known. The exception may have no cause, or that of an earlier
    /// attempt.</param>
    public static Cause Describe(Exception e, bool isConnected, Cause? trouble)
    {
        if (CausesOf(e).OfType<RedisServerException>().FirstOrDefault() is { } refusal && !IsAboutPassword(refusal))
            return new Cause(RegistryFault.Unknown, $"Redis refuses: {refusal.Message}");
        if (e is TimeoutException && isConnected)
            return Slow;
        return (isConnected ? null : trouble) ?? CauseOf(e) ?? trouble ?? (e is TimeoutException ? Slow : Unknown);
    }

    /// <summary>
    /// Why there is no connection; null if the exception does not say. A connection that merely ended says nothing: the library also ends
    /// connections that Redis refused.
    /// </summary>
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

    // NOAUTH: there was no password, or a wrong one; the library still sends commands after that. The failure type alone does not tell: TLS
    // failures have the same.
    private static bool IsAboutPassword(Exception e) =>
        e.Message.Contains("NOAUTH ", StringComparison.Ordinal) || e.Message.Contains("WRONGPASS ", StringComparison.Ordinal);

    // With TLS 1.3 the client learns this only after its handshake, when it reads.
    private static bool IsAboutOurCertificate(Exception e) =>
        e.Message.Contains(" alert ", StringComparison.Ordinal)
        && (e.Message.Contains("certificate", StringComparison.Ordinal) || e.Message.Contains("unknown ca", StringComparison.Ordinal));

    private static IEnumerable<Exception> CausesOf(Exception e)
    {
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
            yield return cause;
    }
}
