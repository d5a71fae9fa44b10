using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Operating;

/// <summary>
/// The address of the gateway's admin endpoint, and the key. The caller's address and key (from options or the environment) are used
/// together: a key from the caller is never sent to an address from a file in the current folder, where somebody else may have written it.
/// </summary>
/// <param name="Url">The address; null: only the socket.</param>
/// <param name="Socket">Its Unix socket, which is used if a gateway of this user or root listens there; null: none.</param>
/// <param name="Key">The operator's key; null: none, for what anybody may ask.</param>
internal sealed record AdminSettings(Uri? Url, string? Socket, string? Key)
{
    public const string UrlVariable = "PROXYGATEWAY_ADMIN_URL";
    public const string KeyVariable = "PROXYGATEWAY_ADMIN_KEY";
    public const string KeyFileVariable = "PROXYGATEWAY_KEY_FILE";

    private const string UrlKey = AdminOptions.SectionName + ":" + nameof(AdminOptions.Url);
    private const string SocketKey = AdminOptions.SectionName + ":" + nameof(AdminOptions.Socket);
    private const string SocketScheme = "unix:";
    private const string KeyFileKey = AdminOptions.SectionName + ":" + nameof(AdminOptions.KeyFile);

    public static Option<string?> UrlOption { get; } = new("--admin-url")
    {
        Description = $"Where the gateway's admin endpoint is [environment: {UrlVariable}; default: {UrlKey} of the appsettings.json here, with the key that is named there]",
        HelpName = "url",
    };

    public static Option<string?> KeyFileOption { get; } = new("--key-file")
    {
        Description = $"The file with the operator's key [environment: {KeyFileVariable}, or the key itself in {KeyVariable}; default: {KeyFileKey}, beneath this folder]",
        HelpName = "file",
    };

    public static AdminSettings Read(ParseResult parsed)
    {
        IConfiguration environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
        AdminSettings? given = GivenAddress(parsed, environment);
        string? key = GivenKey(parsed.GetValue(KeyFileOption), environment);
        if (key is not null && given is not null)
            return given with { Key = key };

        var folder = FolderSettings.Read();
        if (key is not null)
            return new AdminSettings(DefaultUrl(folder), SocketIn(environment[SocketKey] ?? (folder.WhyNotTrusted is null ? null : "")), key);
        if (folder.WhyNotTrusted is { } why)
        {
            throw new CommandFailedException(
                ExitCodes.Refused,
                $"What is in this folder says neither where the gateway is nor by which key. {why}. Or name the gateway with --admin-url and the key with --key-file");
        }

        key = KeyIn(folder);
        return (given ?? AddressIn(folder, environment)) with { Key = key };
    }

    /// <summary>The address alone, for what needs no key.</summary>
    /// <exception cref="CommandFailedException">The caller names no address, and others can write to this folder.</exception>
    public static AdminSettings ReadWithoutKey(ParseResult parsed)
    {
        IConfiguration environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
        if (GivenAddress(parsed, environment) is { } given)
            return given;
        var folder = FolderSettings.Read();
        return folder.WhyNotTrusted is { } why
            ? throw new CommandFailedException(ExitCodes.Refused, $"What is in this folder does not say where the gateway is. {why}. Or name the gateway with --admin-url")
            : AddressIn(folder, environment);
    }

    /// <summary>The configuration that the server in this folder reads.</summary>
    /// <exception cref="CommandFailedException">Others can write to its files.</exception>
    public static IConfiguration Configuration()
    {
        var folder = FolderSettings.Read();
        if (folder is { HasFiles: true, WhyNotTrusted: { } why })
            throw new CommandFailedException(ExitCodes.Refused, $"The appsettings.json here does not say where registries are. {why}");
        return new ConfigurationBuilder().AddConfiguration(folder.Files).AddEnvironmentVariables().Build();
    }

    /// <summary>An environment variable; null if it is empty.</summary>
    public static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static AdminSettings? GivenAddress(ParseResult parsed, IConfiguration environment) =>
        (parsed.GetValue(UrlOption) ?? Variable(UrlVariable) ?? environment[UrlKey]) is { } text ? ReadAddress(text) : null;

    private static AdminSettings AddressIn(FolderSettings folder, IConfiguration environment)
    {
        Uri url = folder.Files[UrlKey] is { } named ? ReadUrl(named) : new AdminOptions().Url;
        return new AdminSettings(url, SocketIn(environment[SocketKey] ?? folder.Files[SocketKey]), Key: null);
    }

    private static Uri DefaultUrl(FolderSettings folder)
    {
        Uri url = new AdminOptions().Url;
        if (folder.Files[UrlKey] is not { } named || (Uri.TryCreate(named, UriKind.Absolute, out Uri? other) && other == url))
            return url;
        throw new CommandFailedException(
            ExitCodes.Refused,
            $"The appsettings.json in {folder.Folder} names the gateway {named}, and a key from elsewhere is not sent to an address that it names; if the address is right, add --admin-url {named}");
    }

    private static string? SocketIn(string? configured) => configured is "" ? null : configured ?? AdminOptions.DefaultSocket;

    private static AdminSettings ReadAddress(string text) => text.StartsWith(SocketScheme, StringComparison.Ordinal) && text.Length > SocketScheme.Length
        ? new AdminSettings(Url: null, text[SocketScheme.Length..].Replace("///", "/", StringComparison.Ordinal), Key: null)
        : new AdminSettings(ReadUrl(text), Socket: null, Key: null);

    private static Uri ReadUrl(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
            throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is not the URL of an admin endpoint, as in http://127.0.0.1:9090 or unix:data/admin.sock");

        // A server that listens on every address is reached on this one.
        if (url.Host is "0.0.0.0" or "[::]")
            url = new UriBuilder(url) { Host = "127.0.0.1" }.Uri;
        if (url.Scheme != Uri.UriSchemeHttps && !url.IsLoopback)
            throw new CommandFailedException(ExitCodes.Usage, $"The key is not sent to {url} unencrypted; use https, or a tunnel to the gateway's loopback address");
        return url;
    }

    // The caller's key, in order of precedence.
    private static string? GivenKey(string? option, IConfiguration environment)
    {
        if (option is null && Variable(KeyVariable) is { } key)
            return IsKey(key.Trim()) ? key.Trim() : throw new CommandFailedException(ExitCodes.Usage, $"{KeyVariable} holds no key");
        return (option ?? Variable(KeyFileVariable) ?? environment[KeyFileKey]) is { } path ? ReadKeyFile(path) : null;
    }

    private static string KeyIn(FolderSettings folder)
    {
        string path = folder.Files[KeyFileKey] ?? new AdminOptions().KeyFile;
        try
        {
            if (File.Exists(path) && !RealPath.IsBeneath(path, folder.Folder))
            {
                throw new CommandFailedException(
                    ExitCodes.Refused,
                    $"The key file {path} is not beneath {folder.Folder}, so it is not used unless you name it: --key-file {path}, and the gateway with --admin-url");
            }
        }
        catch (IOException e)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"The key file {path} cannot be found: {e.Message}");
        }

        return ReadKeyFile(path);
    }

    private static string ReadKeyFile(string path)
    {
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
}
