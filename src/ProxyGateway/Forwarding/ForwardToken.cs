using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.Forwarding;

/// <summary>
/// The token that local clients show, if the forwarder wants one. Most clients of agents can be given an API key, which they send in <c>Authorization</c>; one
/// that has a token for the agent itself shows this one in <c>Proxy-Authorization</c>. It never leaves the machine.
/// </summary>
internal sealed class ForwardToken(string token)
{
    private readonly byte[] _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <summary>Reads the option: the token, or <c>@</c> and the file that has it.</summary>
    /// <exception cref="CommandFailedException">The file cannot be read, others can read it, or it is empty.</exception>
    public static ForwardToken? Read(string? option)
    {
        if (option is null)
            return null;
        string? token = option;
        if (option.StartsWith('@'))
        {
            try
            {
                token = DeviceAuth.Files.PrivateFile.Read(option[1..])?.Trim();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                throw new CommandFailedException(ExitCodes.Refused, e.Message);
            }
        }

        return string.IsNullOrEmpty(token) ? throw new CommandFailedException(ExitCodes.Usage, $"There is no token in '{option}'") : new ForwardToken(token);
    }

    /// <summary>Whether the request shows it. If so it is taken out.</summary>
    public bool TakeFrom(IHeaderDictionary headers) => TakeFrom(headers, "Proxy-Authorization") || TakeFrom(headers, "Authorization");

    private bool TakeFrom(IHeaderDictionary headers, string name)
    {
        if (headers[name] is not [{ } value] || !Is(value))
            return false;
        headers.Remove(name);
        return true;
    }

    private bool Is(string authorization) =>
        (Rest(authorization, "Bearer ") is { } shown && IsToken(shown))
        || (Rest(authorization, "Basic ") is { } pair && PasswordOf(pair) is { } password && IsToken(password));

    private static string? Rest(string authorization, string scheme) =>
        authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? authorization[scheme.Length..].Trim() : null;

    // What a browser or curl makes of http://any:token@127.0.0.1:7420.
    private static string? PasswordOf(string pair)
    {
        byte[] bytes = new byte[pair.Length];
        if (!Convert.TryFromBase64String(pair, bytes, out int length))
            return null;
        string text = Encoding.UTF8.GetString(bytes, 0, length);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? null : text[(colon + 1)..];
    }

    private bool IsToken(string text) => CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(text)), _hash);
}
