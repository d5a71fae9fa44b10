namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A call of the registry's store, as metrics name it.</summary>
internal enum RegistryOperation
{
    Get,
    GetOnce,
    Swap,
    FindRequest,
    ListDevices,
    ListRequests,
    GetVersions,
    Ping,
    NoteSeen,
    AppendAudit,
    ListShared,
    SwapShared,
}
