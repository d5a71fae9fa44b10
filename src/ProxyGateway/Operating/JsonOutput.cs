using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ProxyGateway.Operating;

/// <summary>JSON for scripts, on the standard output.</summary>
internal static class JsonOutput
{
    public static void Write<T>(T value, JsonTypeInfo<T> type) => Console.Out.WriteLine(JsonSerializer.Serialize(value, type));
}
