using System.Globalization;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth;

/// <summary>Cuts clients' texts for the log: a line has a kilobyte or two at most.</summary>
public static class LogText
{
    private const int MaxScopes = 8;
    private const int MaxPathLength = 256;
    private const int MaxMessageLength = 256;

    /// <summary>The first few scopes, and the number of the rest.</summary>
    public static string Of(ScopeSet scopes) => scopes.Count <= MaxScopes
        ? string.Join(' ', scopes)
        : string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', scopes.Take(MaxScopes))} and {scopes.Count - MaxScopes} more");

    /// <summary>The beginning of a path, escaped as in a URL.</summary>
    public static string Of(PathString path)
    {
        string value = path.Value ?? "";
        bool isLong = value.Length > MaxPathLength;
        string text = new PathString(isLong ? value[..MaxPathLength] : value).ToUriComponent();
        return isLong || text.Length > MaxPathLength ? text[..Math.Min(text.Length, MaxPathLength)] + "..." : text;
    }

    /// <summary>Type and message of an exception and of its innermost cause, without stacks.</summary>
    public static string Of(Exception exception)
    {
        Exception cause = exception.GetBaseException();
        return ReferenceEquals(cause, exception) ? TypeAndMessage(exception) : $"{TypeAndMessage(exception)} <- {TypeAndMessage(cause)}";

        static string TypeAndMessage(Exception e) =>
            $"{e.GetType().Name}: {(e.Message.Length <= MaxMessageLength ? e.Message : e.Message[..MaxMessageLength] + "...")}";
    }

    internal static string With(Exception exception, string message) => $"{message} {Of(exception)}";
}
