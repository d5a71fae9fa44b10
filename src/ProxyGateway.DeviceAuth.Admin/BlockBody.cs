using System.Diagnostics.CodeAnalysis;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What a block may say.</summary>
internal sealed record BlockBody
{
    /// <summary>Why.</summary>
    [DisallowNull]
    public string? Reason { get; init; }
}
