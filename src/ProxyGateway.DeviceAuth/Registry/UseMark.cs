namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of a name that is used once, when a record was read.</summary>
public enum UseMark
{
    /// <summary>No name was given, or there is no document to mark it beside.</summary>
    None,

    /// <summary>It is marked as used from now on.</summary>
    Made,

    /// <summary>It was marked already: the proof was used before.</summary>
    UsedBefore,
}
