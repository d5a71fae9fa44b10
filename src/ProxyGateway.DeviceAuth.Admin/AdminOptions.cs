using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The configuration of the operators' listener: section <c>Admin</c>, read and validated. Options that are made in code are not checked
/// again.
/// </summary>
public sealed record AdminOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Admin";

    /// <summary>The section as a part of the whole configuration.</summary>
    public static ConfigurationPart ConfigurationPart => AdminOptionsReader.Part;

    /// <summary>The listener's address, with no path: http on a loopback host, or https. Port 0: any free one.</summary>
    public Uri Url { get; init; } = new("http://127.0.0.1:9090");

    /// <summary>The path of <see cref="Socket"/> if none is configured.</summary>
    public const string DefaultSocket = "data/admin.sock";

    /// <summary>
    /// The path of the Unix socket for operators of this machine, at most 80 bytes of UTF-8; empty: none; null:
    /// <see cref="DefaultSocket"/>, if it can be made.
    /// </summary>
    public string? Socket { get; init; }

    /// <summary>The file of the key that is made at first start; it is used only while <see cref="Keys"/> is empty.</summary>
    public string KeyFile { get; init; } = "data/admin.key";

    /// <summary>The receivers of events by HTTP; empty: none.</summary>
    public ImmutableArray<WebhookOptions> Webhooks { get; init; } = [];

    /// <summary>
    /// The operators' keys, each another one; empty: the one of <see cref="KeyFile"/>, which is made with a fresh key if it does not exist.
    /// </summary>
    public ImmutableArray<AdminKeyOptions> Keys { get; init; } = [];
}
