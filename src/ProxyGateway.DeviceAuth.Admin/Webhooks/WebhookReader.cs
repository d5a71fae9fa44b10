using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>Reads <see cref="WebhookOptions"/> from <c>Admin:Webhooks:name</c>.</summary>
internal static class WebhookReader
{
    private static readonly Uri Nowhere = new("https://localhost");

    public static WebhookOptions Read(string name, SectionReader section) => new()
    {
        Name = name,
        Url = Url(section),
        Secret = Secret(section),
        SecretFile = section.Text(nameof(WebhookOptions.SecretFile), "") is { Length: > 0 } file ? file : null,
        Events = Events(section),
    };

    private static Uri Url(SectionReader section)
    {
        const string name = nameof(WebhookOptions.Url);
        if (Uri.TryCreate(section.Value(name), UriKind.Absolute, out Uri? url)
            && url is { UserInfo: "", Fragment: "" }
            && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback)))
        {
            return url;
        }

        // Without the value: an address may hold a token.
        section.Errors.Add(section.PathOf(name), section.Has(name)
            ? "is no address for a webhook; allowed: https://host/path, or http on a loopback host, without a user and without a fragment."
            : "is missing; it is where events are sent, as in https://host/path.");
        return Nowhere;
    }

    private static ImmutableArray<byte> Secret(SectionReader section)
    {
        const string name = nameof(WebhookOptions.Secret);
        const string file = nameof(WebhookOptions.SecretFile);
        string? text = section.Value(name);
        if (section.Has(name) == section.Has(file))
            section.Errors.Add(section.PathOf(name), $"is needed, or {file}, and not both.");
        else if (WebhookSecret.TryParse(text, out ImmutableArray<byte> secret))
            return secret;
        else if (section.Has(name))
            section.Errors.Add(section.PathOf(name), $"is no secret; allowed: {WebhookSecret.Form}.");
        return [];
    }

    private static ImmutableArray<string> Events(SectionReader section)
    {
        const string name = nameof(WebhookOptions.Events);
        if (section.List(name) is not { } kinds)
            return [];
        if (kinds.IsEmpty)
            section.Errors.Add(section.PathOf(name), "is empty, so that nothing would be told; leave it out for everything.");
        foreach (string kind in kinds.Where(k => !AuditKinds.All.Contains(k)))
            section.Errors.AddValue(section.PathOf(name), kind, string.Join(", ", AuditKinds.All));
        return kinds;
    }
}
