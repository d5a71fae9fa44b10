using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin.OpenApi;

/// <summary>
/// The schemas of types that are text in JSON. A new object each time, since a document changes the schemas that it contains.
/// </summary>
internal static class AdminSchemas
{
    public static OpenApiSchema DeviceId() => Text("^[0-9a-f]{64}$");

    public static OpenApiSchema RequestId() => Text("^[0-9a-hjkmnp-tv-z]{26}$");

    public static OpenApiSchema InvitationId() => Text("^[0-9a-f]{32}$");

    /// <summary>A role or a scope.</summary>
    public static OpenApiSchema Name() => Text("^(?!\\.{1,2}$)[A-Za-z0-9._:-]{1,128}$");

    public static OpenApiSchema Audience() => Text("^[a-z0-9][a-z0-9._-]{0,63}$");

    /// <summary>A number beyond the range of JavaScript numbers.</summary>
    public static OpenApiSchema LongNumber() => Text("^[0-9]{1,19}$");

    public static OpenApiSchema Text(string? pattern = null, int? maxLength = null) =>
        new() { Type = JsonSchemaType.String, Pattern = pattern, MinLength = pattern is null ? 1 : null, MaxLength = maxLength };

    public static OpenApiSchema OneOf(IEnumerable<string> values) =>
        new() { Type = JsonSchemaType.String, Enum = [.. values.Select(v => JsonValue.Create(v))] };

    public static OpenApiSchema Number(int min, int max, int? fallback = null) => new()
    {
        Type = JsonSchemaType.Integer,
        Format = "int32",
        Minimum = $"{min}",
        Maximum = $"{max}",
        Default = fallback is { } value ? JsonValue.Create(value) : null,
    };

    /// <summary>Completes the schema of a type with its own converter, which does not describe itself.</summary>
    public static void Complete(OpenApiSchema schema, Type type)
    {
        if (type == typeof(ScopeSet))
        {
            schema.Type = JsonSchemaType.Array;
            schema.Items = Name();
        }
        else if (type.IsAssignableTo(typeof(IReadOnlyDictionary<string, ScopeSet>)))
        {
            schema.AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.Array, Items = Name() };
        }
        else if (type.IsAssignableTo(typeof(IEnumerable<Audience>)))
        {
            schema.Type = JsonSchemaType.Array;
            schema.Items = Audience();
        }
        else if (type == typeof(DeviceId) || type == typeof(RequestId) || type == typeof(Audience))
        {
            OpenApiSchema text = type == typeof(DeviceId) ? DeviceId() : type == typeof(RequestId) ? RequestId() : Audience();
            schema.Type = text.Type;
            schema.Pattern = text.Pattern;
        }
    }
}
