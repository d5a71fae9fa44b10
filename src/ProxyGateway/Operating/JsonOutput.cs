using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Operating;

/// <summary>JSON for scripts, on the standard output.</summary>
internal static class JsonOutput
{
    /// <summary>The endpoints' JSON, indented.</summary>
    public static AdminJsonContext Admin { get; } = new(new JsonSerializerOptions(AdminJsonContext.Default.Options) { WriteIndented = true });

    public static void Write<T>(T value, JsonTypeInfo<T> type) => Console.Out.WriteLine(JsonSerializer.Serialize(value, type));
}
