using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>A device's description of itself. Never verified: operators see it as the device's text, and no code decides by it.</summary>
/// <param name="Id">The kind of client, as in <c>cli</c>.</param>
/// <param name="DisplayName">A name for people.</param>
/// <param name="Platform">The operating system.</param>
/// <param name="Mode">How the client runs.</param>
public sealed record ClientDescription(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Id = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? DisplayName = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Platform = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Mode = null) : StoredObject
{
    /// <summary>The description, made safe to show: each text is cut, and invisible and bidirectional characters are removed.</summary>
    public static ClientDescription Sanitize(string? id, string? displayName, string? platform, string? mode) =>
        new(SafeText.Of(id), SafeText.Of(displayName), SafeText.Of(platform), SafeText.Of(mode));
}
