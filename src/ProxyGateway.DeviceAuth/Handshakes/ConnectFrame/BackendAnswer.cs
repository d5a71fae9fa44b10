namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>A backend's answer to the <c>connect</c> request.</summary>
internal enum BackendAnswer
{
    /// <summary>No answer yet; if the backend has left, none at all.</summary>
    None,

    /// <summary>A top-level <c>res</c> with the request's id and <c>ok:true</c>.</summary>
    Accepted,

    /// <summary>Any other answer to that request.</summary>
    Refused,

    /// <summary>The backend violates the protocol.</summary>
    Broken,
}
