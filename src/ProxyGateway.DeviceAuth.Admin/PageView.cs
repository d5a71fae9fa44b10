using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A part of a list.</summary>
/// <typeparam name="T">The type of the items.</typeparam>
/// <param name="Items">The items.</param>
/// <param name="Next">The cursor of the next page; null, but present, on the last.</param>
public sealed record PageView<T>(
    IReadOnlyList<T> Items,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Next);
