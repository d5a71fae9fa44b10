namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>What a backend made of the <c>connect</c> request.</summary>
internal enum BackendAnswer
{
    /// <summary>None yet; and when it has left, none at all.</summary>
    None,

    /// <summary>A top-level <c>res</c> with the request's id and <c>ok:true</c>.</summary>
    Accepted,

    /// <summary>Any other answer to that request.</summary>
    Refused,

    /// <summary>What the backend sends is not the protocol.</summary>
    Broken,
}
