namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A part of a list.</summary>
/// <param name="Items">The items.</param>
/// <param name="Next">Where the next page begins; null if this was the last.</param>
public sealed record PagedResult<T>(IReadOnlyList<T> Items, string? Next)
{
    /// <summary>Devices that belong in this part and whose documents have a newer format; they count for the limit.</summary>
    public IReadOnlyList<NewerDocument> Newer { get; init; } = [];
}
