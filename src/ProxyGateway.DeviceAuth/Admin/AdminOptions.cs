using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Section <c>Admin</c>.</summary>
public sealed record AdminOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Admin";

    /// <summary>Where operators are served.</summary>
    public string Url { get; init; } = "http://127.0.0.1:9090";

    /// <summary>The file of the generated key.</summary>
    public string KeyFile { get; init; } = "data/admin.key";

    /// <summary>The configured keys.</summary>
    public ImmutableArray<AdminKey> Keys { get; init; } = [];
}

/// <summary>A configured key.</summary>
/// <param name="Name">The operator.</param>
/// <param name="Sha256">The key's hash.</param>
/// <param name="Role">What it may do.</param>
/// <param name="UpTo">The ceiling.</param>
public sealed record AdminKey(string Name, ImmutableArray<byte> Sha256, AdminRole Role, ImmutableDictionary<string, ScopeSet>? UpTo);

/// <summary>What the holder of a key may do.</summary>
public enum AdminRole
{
    /// <summary>Read.</summary>
    Viewer,

    /// <summary>Decide.</summary>
    Approver,
}
