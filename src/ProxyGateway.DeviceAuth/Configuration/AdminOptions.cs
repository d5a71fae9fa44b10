using System.Collections.Immutable;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The configuration of the operators' listener: section <c>Admin</c>, read and validated.</summary>
public sealed record AdminOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Admin";

    /// <summary>Where it listens: http on a loopback host, or https.</summary>
    public Uri Url { get; init; } = new("http://127.0.0.1:9090");

    /// <summary>Where <see cref="Socket"/> is if nothing is configured.</summary>
    public const string DefaultSocket = "data/admin.sock";

    /// <summary>The Unix socket by which operators of this machine come as well; empty: none; null: <see cref="DefaultSocket"/>, if it can be made.</summary>
    public string? Socket { get; init; }

    /// <summary>The file of the key that is made at first start; it counts only while <see cref="Keys"/> is empty.</summary>
    public string KeyFile { get; init; } = "data/admin.key";

    /// <summary>Where events are told by HTTP.</summary>
    public ImmutableArray<WebhookOptions> Webhooks { get; init; } = [];

    /// <summary>The operators' keys.</summary>
    public ImmutableArray<AdminKeyOptions> Keys { get; init; } = [];
}

/// <summary>One operator's key, section <c>Admin:Keys:name</c>.</summary>
public sealed record AdminKeyOptions
{
    /// <summary>The operator's name, as the audit shows it.</summary>
    public required string Name { get; init; }

    /// <summary>The SHA-256 of the key: 32 bytes.</summary>
    public required ImmutableArray<byte> Sha256 { get; init; }

    /// <summary>What the operator may do.</summary>
    public required AdminRole Role { get; init; }

    /// <summary>Role -> scopes: the most that the operator may grant; a role that is not in it may not be granted. Null: anything.</summary>
    public ImmutableDictionary<string, ScopeSet>? UpTo { get; init; }
}

/// <summary>What an operator may do.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AdminRole>))]
public enum AdminRole
{
    /// <summary>See everything, change nothing.</summary>
    [JsonStringEnumMemberName("viewer")]
    Viewer,

    /// <summary>Decide requests, change and remove devices.</summary>
    [JsonStringEnumMemberName("approver")]
    Approver,
}
