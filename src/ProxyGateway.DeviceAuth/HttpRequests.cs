namespace ProxyGateway.DeviceAuth;

/// <summary>What becomes of plain HTTP requests on gated routes.</summary>
public enum HttpRequests
{
    /// <summary>403.</summary>
    Deny,

    /// <summary>Forwarded without any check of ours.</summary>
    Allow,
}
