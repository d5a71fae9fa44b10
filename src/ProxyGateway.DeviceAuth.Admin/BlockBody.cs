using System.Diagnostics.CodeAnalysis;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The body of a block.</summary>
public sealed record BlockBody
{
    /// <summary>The reason.</summary>
    [DisallowNull]
    public string? Reason { get; init; }
}
