using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The JSON of the operators' endpoints, for their clients: answers (<c>...View</c>) and request bodies (<c>...Body</c>).
/// </summary>
public static class AdminJson
{
    /// <summary>The maximum number of items on a page of a list.</summary>
    public const int MaxPageItems = 200;

    private static readonly AdminJsonContext Indented = new(new JsonSerializerOptions(AdminJsonContext.Default.Options) { WriteIndented = true });

    /// <summary>Reads and writes an answer: unknown members are skipped.</summary>
    /// <typeparam name="T">The answer, such as <see cref="DeviceView"/> or <see cref="PageView{T}"/> of it.</typeparam>
    /// <param name="indented">Whether it is written for people.</param>
    /// <exception cref="NotSupportedException">The type is no answer.</exception>
    public static JsonTypeInfo<T> Answer<T>(bool indented = false) => Of<T>(indented ? Indented : AdminJsonContext.Default);

    /// <summary>Reads and writes a body: an unknown member is an error.</summary>
    /// <typeparam name="T">The body, such as <see cref="GrantBody"/>.</typeparam>
    /// <exception cref="NotSupportedException">The type is no body.</exception>
    public static JsonTypeInfo<T> Body<T>() => Of<T>(AdminInputContext.Default);

    private static JsonTypeInfo<T> Of<T>(JsonSerializerContext context) =>
        context.GetTypeInfo(typeof(T)) as JsonTypeInfo<T> ?? throw new NotSupportedException($"{typeof(T)} is no JSON of the operators' endpoints.");
}
