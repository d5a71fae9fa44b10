using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>The log messages of handshakes.</summary>
internal sealed partial class HandshakeLog(ILogger logger)
{
    /// <summary>The backend did not begin with a challenge.</summary>
    public void NoChallenge(HandshakeContext handshake) => LogNoChallenge(PathOf(handshake));

    /// <summary>The backend has not answered the request in time, or has violated the protocol.</summary>
    public void NoAnswer(HandshakeContext handshake) => LogNoAnswer(PathOf(handshake), handshake.Options.HandshakeTimeout);

    /// <summary>The backend ended the connection before it had answered.</summary>
    public void BackendLeft(HandshakeContext handshake) => LogBackendLeft(PathOf(handshake));

    /// <summary>The client is refused before its claim is decided.</summary>
    public void Refused(HandshakeContext handshake, Closing closing) => LogRefused(handshake.Origin.Address, closing.Code, closing.Reason);

    /// <summary>The handshake was evicted for another.</summary>
    public void GaveWay(HandshakeContext handshake) => LogGaveWay(handshake.Origin.Address);

    /// <summary>A client that can wait for the decision on its connection is refused like any other.</summary>
    public void NoPlaceToWait(HandshakeContext handshake) => LogNoPlaceToWait(handshake.Origin.Address);

    /// <summary>The gate itself has failed, and has not admitted the client.</summary>
    public void Failed(HandshakeContext handshake, Exception exception) => LogFailed(PathOf(handshake), exception);

    private static string PathOf(HandshakeContext handshake) => LogText.Of(handshake.Http.Request.Path);

    [LoggerMessage(1101, LogLevel.Information, "Refused a handshake from {Address}: {Code} {Reason}.")]
    private partial void LogRefused(string? address, object code, string reason);

    [LoggerMessage(1107, LogLevel.Information, "A silent handshake from {Address} was evicted for another (DeviceAuth:Limits).")]
    private partial void LogGaveWay(string? address);

    [LoggerMessage(1108, LogLevel.Information, "A client from {Address} may not wait on its connection for the decision about its request: too many wait, of all, of its device or of its address (DeviceAuth:Limits). It asks again at intervals instead.")]
    private partial void LogNoPlaceToWait(string? address);

    [LoggerMessage(1102, LogLevel.Warning, "The backend of {Path} did not begin with a connect.challenge. Is it an OpenClaw-protocol backend? "
        + "A route to any other needs the metadata \"DeviceAuth\": \"Off\", which leaves it ungated.")]
    private partial void LogNoChallenge(string path);

    [LoggerMessage(1103, LogLevel.Warning, "The backend of {Path} gave no proper answer to a connect request within {Timeout} (DeviceAuth:HandshakeTimeout).")]
    private partial void LogNoAnswer(string path, object timeout);

    [LoggerMessage(1104, LogLevel.Warning, "The backend of {Path} ended a connection in the middle of the handshake.")]
    private partial void LogBackendLeft(string path);

    [LoggerMessage(1106, LogLevel.Error, "A handshake on {Path} failed in the gate itself; the client was not admitted.")]
    private partial void LogFailed(string path, Exception exception);
}
