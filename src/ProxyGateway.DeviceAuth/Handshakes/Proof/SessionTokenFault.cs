namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Why a session token does not hold: every fault that there is.</summary>
/// <param name="Reason">For programs.</param>
/// <param name="Detail">For people.</param>
internal sealed record SessionTokenFault(string Reason, string Detail)
{
    public static readonly SessionTokenFault MoreThanOne = new("invalid", "The request has more than one session token.");
    public static readonly SessionTokenFault Invalid = new("invalid", "The session token is none of this gateway, or its key is gone. Ask for a new one, or send a proof.");
    public static readonly SessionTokenFault Expired = new("expired", "The session token is too old. Ask for a new one, or send a proof.");
    public static readonly SessionTokenFault OtherAudience = new("audience", "The session token is for another audience. Ask for one of this route, or send a proof.");
    public static readonly SessionTokenFault OtherDevice = new("device", "The session token is another device's than the proof beside it.");

    public static readonly SessionTokenFault Narrower = new("scope", "The proof asks for another role than the session token is for, or for more scopes.");

    /// <summary>An operator may have taken something back, and given it again: the proof finds out.</summary>
    public static readonly SessionTokenFault Outdated =
        new("outdated", "What is on record of the device has changed since the session token was made. Send a proof: its answer says whether the device is still paired.");
}
