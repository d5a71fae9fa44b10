using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// An object of a stored document. It keeps members that this version does not know, so that writing the document again does not lose a
/// newer gateway's members. A member that this version must not ignore raises the document's format instead, and then the document is
/// refused.
/// </summary>
public abstract record StoredObject
{
    private protected StoredObject()
    {
    }

    /// <summary>Unknown members of the stored object, as they were read; null if there are none.</summary>
    internal Dictionary<string, JsonElement>? Unknown { get; set; }

    /// <summary>
    /// Makes the type of a stored object read and write its unknown members; any other type is not changed. It is no attribute of the
    /// types, since operators' input and answers use some of them too, where unknown members must not pass.
    /// </summary>
    /// <param name="type">The type that a resolver's modifier gets.</param>
    public static void KeepUnknown(JsonTypeInfo type)
    {
        ArgumentNullException.ThrowIfNull(type);
        if (!type.Type.IsAssignableTo(typeof(StoredObject)))
            return;
        type.Properties.Add(JsonMetadataServices.CreatePropertyInfo(type.Options, new JsonPropertyInfoValues<Dictionary<string, JsonElement>?>
        {
            IsProperty = true,
            IsPublic = true,
            IsExtensionData = true,
            DeclaringType = typeof(StoredObject),
            PropertyName = "(unknown members)",
            Getter = static stored => ((StoredObject)stored).Unknown,
            Setter = static (stored, members) => ((StoredObject)stored).Unknown = members,
        }));
    }
}
