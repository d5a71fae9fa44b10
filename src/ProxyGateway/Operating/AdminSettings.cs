using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.Operating;

/// <summary>Where the gateway's admin endpoint is, and by which key: from options, else from the environment, else as the server in this folder reads it.</summary>
internal sealed record AdminSettings(Uri Url, string Key)
{
    public const string UrlVariable = "PROXYGATEWAY_ADMIN_URL";
    public const string KeyVariable = "PROXYGATEWAY_ADMIN_KEY";
    public const string KeyFileVariable = "PROXYGATEWAY_KEY_FILE";

    public static Option<string?> UrlOption { get; } = new("--admin-url")
    {
        Description = $"Where the gateway's admin endpoint is [environment: {UrlVariable}; default: Admin:Url of the appsettings.json here]",
        HelpName = "url",
    };

    public static Option<string?> KeyFileOption { get; } = new("--key-file")
    {
        Description = $"The file with the operator's key [environment: {KeyFileVariable}, or the key itself in {KeyVariable}; default: Admin:KeyFile]",
        HelpName = "file",
    };

    public static AdminSettings Read(ParseResult parsed)
    {
        IConfiguration configuration = Configuration();
        string url = parsed.GetValue(UrlOption) ?? Variable(UrlVariable) ?? configuration["Admin:Url"] ?? new AdminOptions().Url.OriginalString;
        return new AdminSettings(ReadUrl(url), ReadKey(parsed.GetValue(KeyFileOption), configuration));
    }

    /// <summary>The configuration as the server in this folder reads it.</summary>
    public static IConfiguration Configuration()
    {
        string environment = Variable("ASPNETCORE_ENVIRONMENT") ?? Variable("DOTNET_ENVIRONMENT") ?? Environments.Production;
        try
        {
            return new ConfigurationBuilder()
                .SetBasePath(Directory.GetCurrentDirectory())
                .AddJsonFile("appsettings.json", optional: true)
                .AddJsonFile($"appsettings.{environment}.json", optional: true)
                .AddEnvironmentVariables()
                .Build();
        }
        catch (InvalidDataException e)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"{e.Message} {e.GetBaseException().Message}");
        }
    }

    private static Uri ReadUrl(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
            throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is not the URL of an admin endpoint, as in http://127.0.0.1:9090");

        // A server that listens on every address is reached on this one.
        if (url.Host is "0.0.0.0" or "[::]")
            url = new UriBuilder(url) { Host = "127.0.0.1" }.Uri;
        if (url.Scheme != Uri.UriSchemeHttps && !url.IsLoopback)
            throw new CommandFailedException(ExitCodes.Usage, $"The key is not sent to {url} unencrypted; use https, or a tunnel to the gateway's loopback address");
        return url;
    }

    private static string ReadKey(string? option, IConfiguration configuration)
    {
        if (option is null && Variable(KeyVariable) is { } key)
            return IsKey(key.Trim()) ? key.Trim() : throw new CommandFailedException(ExitCodes.Usage, $"{KeyVariable} holds no key");
        string path = option ?? Variable(KeyFileVariable) ?? configuration["Admin:KeyFile"] ?? new AdminOptions().KeyFile;
        try
        {
            return AdminKeyRing.ReadKeyFile(path) ?? throw new CommandFailedException(
                ExitCodes.Refused,
                $"There is no key file {path}; run this in the gateway's folder, or name the file with --key-file, or put the key into {KeyVariable}");
        }
        catch (InvalidDataException e)
        {
            throw new CommandFailedException(ExitCodes.Refused, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"The key file {path} cannot be read: {e.Message}");
        }
    }

    private static bool IsKey(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExceptInRange('!', '~');

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
