namespace ProxyGateway.DeviceAuth;

/// <summary>How gated routes treat plain HTTP requests.</summary>
public enum HttpRequests
{
    /// <summary>They get 403.</summary>
    Deny,

    /// <summary>They are forwarded without any check.</summary>
    Allow,
}
