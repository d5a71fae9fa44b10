using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// An object of a stored document. It keeps the members that this version does not know, so that writing the document again does not lose what
/// a newer gateway wrote. A member that this version must not ignore raises the document's format instead, and then the document is refused.
/// </summary>
public abstract record StoredObject
{
    private protected StoredObject()
    {
    }

    /// <summary>Members of the stored object that this version does not know, as they were read; null if there are none.</summary>
    internal Dictionary<string, JsonElement>? Unknown { get; set; }

    /// <summary>
    /// Has the type of a stored object read and write its unknown members; any other type stays as it is. It is no attribute of the types, as operators'
    /// input and answers have some of them too, and nothing unknown may pass there.
    /// </summary>
    /// <param name="type">The type, as a resolver's modifier gets it.</param>
    public static void KeepUnknown(JsonTypeInfo type)
    {
        ArgumentNullException.ThrowIfNull(type);
        if (!type.Type.IsAssignableTo(typeof(StoredObject)))
            return;
        JsonPropertyInfo unknown = type.CreateJsonPropertyInfo(typeof(Dictionary<string, JsonElement>), "(unknown members)");
        unknown.IsExtensionData = true;
        unknown.Get = static stored => ((StoredObject)stored).Unknown;
        unknown.Set = static (stored, members) => ((StoredObject)stored).Unknown = (Dictionary<string, JsonElement>?)members;
        type.Properties.Add(unknown);
    }
}
