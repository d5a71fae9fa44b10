namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>A header that the gate sets for the backend of a route, as a transform of the route says.</summary>
/// <param name="Name">The header.</param>
internal abstract record BackendHeader(string Name)
{
    /// <summary>Something of the admitted device; absent where no device is known.</summary>
    /// <param name="Name">The header.</param>
    /// <param name="Value">What.</param>
    public sealed record OfDevice(string Name, DeviceValue Value) : BackendHeader(Name);

    /// <summary>A signed statement of who was admitted; absent where no device is known.</summary>
    /// <param name="Name">The header.</param>
    /// <param name="Prefix">What stands before it.</param>
    /// <param name="SecretFile">The file of the secret that signs it (HS256); null: a key of the gateway's own does (ES256).</param>
    public sealed record OfAssertion(string Name, string Prefix, string? SecretFile) : BackendHeader(Name);

    /// <summary>A secret of the backend's.</summary>
    /// <param name="Name">The header.</param>
    /// <param name="Prefix">What stands before it.</param>
    /// <param name="File">The file of the secret.</param>
    public sealed record OfFile(string Name, string Prefix, string File) : BackendHeader(Name);
}
