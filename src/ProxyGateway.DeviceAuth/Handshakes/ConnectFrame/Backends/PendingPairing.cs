using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>A pairing request that is open at a backend, as the backend has it on record.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="Roles">The roles that approving it gives.</param>
/// <param name="Scopes">The scopes that approving it gives.</param>
internal sealed record PendingPairing(string Device, ScopeSet Roles, ScopeSet Scopes)
{
    /// <summary>Finds a request in the answer to <c>device.pair.list</c>.</summary>
    /// <param name="payload">The answer's payload.</param>
    /// <param name="requestId">The request's id.</param>
    /// <returns>The request; null if the backend has none of that id.</returns>
    /// <exception cref="BackendPairingException">The answer is not what the protocol says.</exception>
    public static PendingPairing? Find(JsonElement payload, string requestId)
    {
        PendingPairing? found = null;
        foreach (JsonElement pending in List(payload, "pending"))
        {
            if (Text(pending, "requestId") != requestId)
                continue;
            if (found is not null)
                throw new BackendPairingException("it has two requests of this id");
            found = Read(pending) ?? throw NotUnderstood("deviceId");
        }

        return found;
    }

    /// <summary>What a device has at the backend by the answer to <c>device.pair.list</c>; null if it has nothing.</summary>
    /// <exception cref="BackendPairingException">The answer is not what the protocol says.</exception>
    public static PendingPairing? FindPaired(JsonElement payload, string device)
    {
        foreach (JsonElement paired in List(payload, "paired"))
        {
            if (Text(paired, "deviceId") == device)
                return Read(paired);
        }

        return null;
    }

    /// <summary>A device with its roles and scopes; null if the device is not named.</summary>
    /// <exception cref="BackendPairingException">It is not what the protocol says.</exception>
    public static PendingPairing? Read(JsonElement element)
    {
        // Of a paired device: a role each, with its scopes. Some versions may have them in another form.
        JsonElement[] tokens = Member(element, "tokens") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray()] : [];
        string[] alone = Text(element, "role") is { } role ? [role] : [];
        return Text(element, "deviceId") is { } device
            ? new PendingPairing(
                device,
                ScopeSet.Of([.. Texts(element, "roles"), .. alone, .. tokens.Select(token => Text(token, "role")).OfType<string>()]),
                ScopeSet.Of([.. Texts(element, "scopes"), .. tokens.SelectMany(token => Texts(token, "scopes"))]))
            : null;
    }

    /// <summary>The text of a member; null if it is absent or null.</summary>
    /// <exception cref="BackendPairingException">It is no text.</exception>
    public static string? Text(JsonElement element, string name) => Member(element, name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        _ => throw NotUnderstood(name),
    };

    private static string[] Texts(JsonElement element, string name) =>
        [.. List(element, name).Select(item => item.ValueKind == JsonValueKind.String ? item.GetString()! : throw NotUnderstood(name))];

    private static JsonElement.ArrayEnumerator List(JsonElement element, string name) => Member(element, name) switch
    {
        null => default,
        { ValueKind: JsonValueKind.Array } list => list.EnumerateArray(),
        _ => throw NotUnderstood(name),
    };

    private static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind != JsonValueKind.Object ? throw NotUnderstood(name)
        : element.TryGetProperty(name, out JsonElement member) && member.ValueKind != JsonValueKind.Null ? member
        : null;

    private static BackendPairingException NotUnderstood(string name) => new($"what it says of its requests is not understood ({name})");
}
