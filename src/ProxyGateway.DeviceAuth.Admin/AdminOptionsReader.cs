using System.Collections.Immutable;
using System.Net;
using System.Text;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Reads <see cref="AdminOptions"/> from the section <c>Admin</c>.</summary>
internal static class AdminOptionsReader
{
    private const int MaxSocketLength = 80;

    /// <summary>The section as a part of the whole configuration.</summary>
    public static ConfigurationPart Part { get; } = ConfigurationPart.Of(AdminOptions.SectionName, Read);

    /// <summary>Reads the section and notes every error; after errors the result must not be used.</summary>
    /// <param name="configuration">The whole configuration, with its layers.</param>
    /// <param name="errors">The list of errors.</param>
    public static AdminOptions Read(IConfiguration configuration, ConfigurationErrors errors)
    {
        var section = new SectionReader(configuration, AdminOptions.SectionName, errors);
        var defaults = new AdminOptions();
        var options = new AdminOptions
        {
            Url = Url(section, defaults.Url),
            Socket = Socket(section),
            KeyFile = section.Text(nameof(AdminOptions.KeyFile), defaults.KeyFile),
            Webhooks = [.. section.Section(nameof(AdminOptions.Webhooks)).NamedSections().Select(w => WebhookReader.Read(w.Name, w.Section))],
            Keys = [.. section.Section(nameof(AdminOptions.Keys)).NamedSections().Select(k => Key(k.Name, k.Section))],
        };
        ReportSharedKeys(section, options.Keys);
        section.ReportUnknownKeys();
        return options;
    }

    private static Uri Url(SectionReader section, Uri fallback)
    {
        const string name = nameof(AdminOptions.Url);
        string text = section.Text(name, fallback.OriginalString);
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? url)
            && SectionReader.IsOrigin(text.TrimEnd('/'))
            && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && IsLoopback(url))))
        {
            return url;
        }

        section.Errors.AddValue(section.PathOf(name), text, "http://127.0.0.1:port or another loopback host, or https://host:port elsewhere, with no path");
        return fallback;
    }

    // The kernel allows 108 bytes, and the socket is first made in a temporary folder.
    private static string? Socket(SectionReader section)
    {
        const string name = nameof(AdminOptions.Socket);
        string? path = section.Value(name);
        if (path is null or "" || (!string.IsNullOrWhiteSpace(path) && Encoding.UTF8.GetByteCount(path) <= MaxSocketLength))
            return path;
        section.Errors.AddValue(section.PathOf(name), path, $"a path of up to {MaxSocketLength} bytes, or \"\" for no socket");
        return null;
    }

    private static bool IsLoopback(Uri url) =>
        url.IdnHost.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(url.IdnHost, out IPAddress? address) && IPAddress.IsLoopback(address));

    private static AdminKeyOptions Key(string name, SectionReader section) => new()
    {
        Name = name,
        Sha256 = section.Sha256(nameof(AdminKeyOptions.Sha256), "the key"),
        Role = Role(section),
        UpTo = section.ScopesByRole(nameof(AdminKeyOptions.UpTo)),
        Audiences = section.Audiences(nameof(AdminKeyOptions.Audiences)),
    };

    // With a shared key the audit could not name the operator.
    private static void ReportSharedKeys(SectionReader section, ImmutableArray<AdminKeyOptions> keys)
    {
        foreach (IGrouping<string, AdminKeyOptions> same in keys.Where(k => !k.Sha256.IsEmpty).GroupBy(k => Convert.ToHexString(k.Sha256.AsSpan())))
        {
            if (same.Count() > 1)
            {
                section.Errors.Add(
                    section.PathOf(nameof(AdminOptions.Keys)),
                    $"{string.Join(" and ", same.Select(k => k.Name))} are the same key; allowed: a key for each name.");
            }
        }
    }

    private static AdminRole Role(SectionReader section)
    {
        const string name = nameof(AdminKeyOptions.Role);
        if (!section.Has(name))
            section.Errors.Add(section.PathOf(name), "is missing; allowed: viewer, approver.");
        return section.Choice(name, AdminRole.Viewer);
    }
}
