namespace ProxyGateway.DeviceAuth.Client;

/// <summary>What a device says about itself. Operators see it as the device's word; nothing is decided by it.</summary>
public sealed record ClientClaim
{
    /// <summary>The kind of client, such as <c>cli</c>; null: none.</summary>
    public string? Id { get; init; }

    /// <summary>The device's name for people; null: none.</summary>
    public string? DisplayName { get; init; }

    /// <summary>The client's version; null: none.</summary>
    public string? Version { get; init; }

    /// <summary>The operating system; null: none.</summary>
    public string? Platform { get; init; }

    /// <summary>How the client runs; null: none.</summary>
    public string? Mode { get; init; }

    /// <summary>This operating system, as in <see cref="Platform"/>: <c>linux</c>, <c>darwin</c> or <c>win32</c>.</summary>
    public static string CurrentPlatform => OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsWindows() ? "win32" : "linux";
}
