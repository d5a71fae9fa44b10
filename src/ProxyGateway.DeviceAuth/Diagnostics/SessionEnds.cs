using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>Why sessions end, as metrics name it. A reason of the application's or of an operator's may be any text, so it is <c>other</c>.</summary>
internal static class SessionEnds
{
    private const string Left = "left";
    private const string Other = "other";

    private static readonly Dictionary<Closing, string> ByClosing = new()
    {
        [Closing.DeviceRemoved] = "device-removed",
        [Closing.DeviceBlocked] = "device-blocked",
        [Closing.GrantRevoked] = "grant-revoked",
        [Closing.IdentityRequired] = "identity-required",
        [Closing.RegistryUnavailable] = "registry-unavailable",
        [Closing.Restarting] = "gateway-restarting",
        [Closing.InternalError] = "failed",
    };

    /// <summary>Every name.</summary>
    public static IReadOnlyList<string> All => [Left, .. ByClosing.Values, Other];

    /// <summary>The name; the client or the backend has left if the gate has not closed the session.</summary>
    public static string Of(Closing? closing) => closing is null ? Left : ByClosing.GetValueOrDefault(closing, Other);
}
