using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The JSON of the operators' endpoints, for clients of it: what they answer (<c>...View</c>), and the bodies that they take (<c>...Body</c>).</summary>
public static class AdminJson
{
    /// <summary>How many items a page of a list has at most.</summary>
    public const int MaxPageItems = 200;

    private static readonly AdminJsonContext Indented = new(new JsonSerializerOptions(AdminJsonContext.Default.Options) { WriteIndented = true });

    /// <summary>How an answer is read and written: unknown members are skipped.</summary>
    /// <typeparam name="T">The answer, such as <see cref="DeviceView"/> or <see cref="PageView{T}"/> of it.</typeparam>
    /// <param name="indented">Whether it is written for people.</param>
    /// <exception cref="NotSupportedException">It is none of the answers.</exception>
    public static JsonTypeInfo<T> Answer<T>(bool indented = false) => Of<T>(indented ? Indented : AdminJsonContext.Default);

    /// <summary>How a body is read and written: an unknown member is an error.</summary>
    /// <typeparam name="T">The body, such as <see cref="GrantBody"/>.</typeparam>
    /// <exception cref="NotSupportedException">It is none of the bodies.</exception>
    public static JsonTypeInfo<T> Body<T>() => Of<T>(AdminInputContext.Default);

    private static JsonTypeInfo<T> Of<T>(JsonSerializerContext context) =>
        context.GetTypeInfo(typeof(T)) as JsonTypeInfo<T> ?? throw new NotSupportedException($"{typeof(T)} is no JSON of the operators' endpoints.");
}
