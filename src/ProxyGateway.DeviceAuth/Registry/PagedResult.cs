namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A part of a list.</summary>
/// <param name="Items">The items.</param>
/// <param name="Next">The start of the next page; null if this was the last.</param>
public sealed record PagedResult<T>(IReadOnlyList<T> Items, string? Next)
{
    /// <summary>Devices of this part whose documents have a newer format; they count for the limit.</summary>
    public IReadOnlyList<NewerDocument> Newer { get; init; } = [];
}
