using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>An operator's rights.</summary>
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
