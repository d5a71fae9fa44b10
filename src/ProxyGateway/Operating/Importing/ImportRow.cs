using System.Buffers.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating.Importing;

/// <summary>A device of a file: the data to send, or the error. Never a token, and no text of the file but names for people.</summary>
/// <param name="Row">Its place in the file, from 1.</param>
/// <param name="Id">The device, if the row has a valid id.</param>
/// <param name="Device">The data to send; null if the row is skipped.</param>
/// <param name="Problem">Why it is skipped.</param>
/// <param name="Notes">The parts that are left out.</param>
internal sealed record ImportRow(int Row, DeviceId? Id, ImportDeviceBody? Device, string? Problem, IReadOnlyList<string> Notes)
{
    /// <summary>Its name in the file; for people.</summary>
    public string? Name { get; init; }

    public static ImportRow Skipped(int row, DeviceId? id, string problem, params IReadOnlyList<string> notes) =>
        new(row, id, Device: null, problem, notes);

    /// <summary>Reads a key in any form that devices send.</summary>
    public static bool TryReadKey(string? text, out DeviceId id, out string publicKey)
    {
        byte[] key = [];
        bool valid = text is not null && DeviceKey.TryRead(text, out key);
        (id, publicKey) = valid ? (DeviceId.Of(key), Base64Url.EncodeToString(key)) : (default, "");
        return valid;
    }
}

/// <summary>A row that cannot be read; the message is the reason, in the program's own words.</summary>
internal sealed class UnreadableRowException(string message) : Exception(message);

/// <summary>Reads JSON of other programs: errors name the member, never its value.</summary>
internal static class RowReading
{
    private const int MaxNames = 256;
    private const int MaxWords = 200;

    /// <summary>The member; null if it is absent or null.</summary>
    public static JsonElement? Member(this JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>The member, if it is text.</summary>
    public static string? Text(this JsonElement row, string name) =>
        row.Member(name) is { ValueKind: JsonValueKind.String } value ? value.ReadText() : null;

    /// <summary>The member, if it is text, for people; cut and cleaned.</summary>
    public static string? Words(this JsonElement row, string name) =>
        row.Text(name) is { } text ? text[..Math.Min(text.Length, MaxWords)] : null;

    /// <summary>The member's names of roles or scopes, trimmed; null if there is no such member.</summary>
    public static IReadOnlyList<string>? Names(this JsonElement row, string name)
    {
        if (row.Member(name) is not { } list)
            return null;
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > MaxNames)
            throw new UnreadableRowException($"{name} is not a list of at most {MaxNames} names");
        return [.. list.EnumerateArray().Select(item => Name(item, name)).OfType<string>().Distinct(StringComparer.Ordinal)];
    }

    /// <summary>A role or a scope, trimmed; null if it is blank, which counts as absent.</summary>
    public static string? Name(JsonElement value, string member)
    {
        string? name = value.ValueKind == JsonValueKind.String ? value.ReadText()?.Trim() : "?";
        if (name is "")
            return null;
        return ScopeSet.IsValidName(name) ? name : throw new UnreadableRowException($"{member} holds what is no name: 1 to 128 of A-Z a-z 0-9 . _ : -");
    }

    /// <summary>Whether an object inside has a member twice: one reader takes the first, another the last.</summary>
    public static bool RepeatsMembers(this JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().Select(m => m.Name).Distinct(StringComparer.Ordinal).Count() != value.GetPropertyCount()
            || value.EnumerateObject().Any(m => m.Value.RepeatsMembers()),
        JsonValueKind.Array => value.EnumerateArray().Any(RepeatsMembers),
        _ => false,
    };

    /// <summary>The text; null if it is no valid Unicode (a lone surrogate).</summary>
    public static string? ReadText(this JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
