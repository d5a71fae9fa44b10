using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Unicode;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>What a session token is to be for: the route, or else the audience.</summary>
/// <param name="Route">The route's name; null if the audience is named.</param>
/// <param name="Audience">The audience.</param>
internal sealed record SessionRequest(string? Route, Audience Audience)
{
    /// <summary>How many bytes its JSON may have.</summary>
    public const int MaxSize = 1024;

    /// <summary>Reads the body; false for anything but an object with one of the two members.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> body, [NotNullWhen(true)] out SessionRequest? request)
    {
        request = null;
        using JsonDocument? document = body.Length <= MaxSize && Utf8.IsValid(body.Span) ? StrictJson.Parse(body) : null;
        if (document is not { RootElement.ValueKind: JsonValueKind.Object } || document.RootElement.GetPropertyCount() != 1)
            return false;
        JsonProperty member = document.RootElement.EnumerateObject().First();
        if (member.Value.ValueKind != JsonValueKind.String)
            return false;
        string name = member.Value.GetString()!;
        if (member.NameEquals("route"u8))
            request = new SessionRequest(name, default);
        else if (member.NameEquals("audience"u8) && Audience.TryParse(name, out Audience audience))
            request = new SessionRequest(Route: null, audience);
        return request is not null;
    }
}
