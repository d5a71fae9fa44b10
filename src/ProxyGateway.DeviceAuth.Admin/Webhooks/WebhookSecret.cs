using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>The text of a secret as Standard Webhooks defines it: <c>whsec_</c> and 24 to 64 bytes in base64.</summary>
internal static class WebhookSecret
{
    public const string Form = "whsec_ and 24 to 64 random bytes in base64, as printed by: echo whsec_$(openssl rand -base64 32)";

    private const string Prefix = "whsec_";
    private const int MinBytes = 24;
    private const int MaxBytes = 64;

    public static bool TryParse([NotNullWhen(true)] string? text, out ImmutableArray<byte> secret)
    {
        secret = [];
        Span<byte> bytes = stackalloc byte[MaxBytes];
        if (text?.StartsWith(Prefix, StringComparison.Ordinal) != true
            || !Convert.TryFromBase64String(text[Prefix.Length..], bytes, out int length)
            || length < MinBytes)
            return false;
        secret = [.. bytes[..length]];
        return true;
    }

    /// <summary>The configured secret.</summary>
    /// <param name="options">The options.</param>
    /// <param name="contentRoot">The base of a relative file.</param>
    /// <exception cref="InvalidDataException">The file holds none, or others may read it.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ImmutableArray<byte> Of(WebhookOptions options, string contentRoot)
    {
        if (options.SecretFile is not { } file)
            return options.Secret;
        string path = Path.GetFullPath(file, contentRoot);
        string text = PrivateFile.Read(path) ?? throw new IOException($"There is no file {path} with the secret of the webhook {options.Name}.");
        return TryParse(text.Trim(), out ImmutableArray<byte> secret)
            ? secret
            : throw new InvalidDataException($"{path} holds no secret for the webhook {options.Name}: {Form}");
    }
}
