using System.CommandLine;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting;

/// <summary>Which certificates of gateways are trusted: the system's authorities, or those of a file, which a host of MCP servers passes on as it passes no environment.</summary>
internal static class Authorities
{
    public static Option<string?> Option { get; } = new("--ca")
    {
        Description = "A file (PEM) with the gateway's certificate, or with the authority that issued it: trusted for this gateway instead of the system's authorities",
        HelpName = "file",
    };

    /// <summary>The certificates of the file; null: the system's.</summary>
    /// <exception cref="CommandFailedException">The file cannot be read, or has none.</exception>
    public static X509Certificate2Collection? Read(ParseResult parsed)
    {
        if (parsed.GetValue(Option) is not { } path)
            return null;
        var found = new X509Certificate2Collection();
        try
        {
            found.ImportFromPemFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"{path} cannot be read: {e.Message}");
        }

        return found.Count > 0 ? found : throw new CommandFailedException(ExitCodes.Refused, $"{path} has no certificate in PEM");
    }

    /// <summary>A transport that trusts them.</summary>
    public static SocketsHttpHandler NewTransport(X509Certificate2Collection? trusted)
    {
        SocketsHttpHandler transport = DeviceHttpHandler.CreateTransport();
        if (trusted is not null)
        {
            transport.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            transport.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        }

        return transport;
    }

    /// <summary>Why a gateway was not reached, and what to do if it is about its certificate.</summary>
    public static string WhyUnreachable(Exception e) => IsAboutCertificate(e)
        ? $"{e.InnerException!.Message.TrimEnd('.')}. If the certificate is right, name it, or its authority, by --ca"
        : (e.InnerException ?? e).Message;

    /// <summary>Whether another attempt cannot help, since the gateway's certificate is not trusted.</summary>
    public static bool IsAboutCertificate(Exception e) =>
        e.InnerException is AuthenticationException { Message: var message } && message.Contains("certificate", StringComparison.OrdinalIgnoreCase);
}
