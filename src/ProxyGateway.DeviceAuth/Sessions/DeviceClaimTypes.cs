namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>The types of the claims that an admitted device adds to <see cref="Microsoft.AspNetCore.Http.HttpContext.User"/>.</summary>
public static class DeviceClaimTypes
{
    /// <summary>The device's id, 64 hexadecimal digits.</summary>
    public const string DeviceId = "device_id";

    /// <summary>The role of this connection.</summary>
    public const string Role = "role";

    /// <summary>The audience of the route.</summary>
    public const string Audience = "audience";

    /// <summary>A scope that the device asked for and its grant covers; one claim for each.</summary>
    public const string Scope = "scope";
}
