using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>The log messages of backends that refuse what the gate has granted, and of approvals there.</summary>
internal sealed partial class BackendLog(ILogger logger)
{
    /// <summary>A connection was opened.</summary>
    public void Connected(BackendDestination destination) => LogConnected(destination.ToString());

    /// <summary>The backend refused a device that the gate had admitted.</summary>
    public void BackendRefused(HandshakeContext handshake, DeviceClaim claim, BackendRefusal refusal)
    {
        LogBackendRefused(claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), handshake.Origin.Address, refusal.Describe());
        if (refusal.ForgotDevice)
            LogForgotten(claim.Device);
    }

    /// <summary>The backend asks a pairing question of its own, and the gate may not answer it.</summary>
    public void BackendAsks(HandshakeContext handshake, DeviceClaim claim, BackendRefusal refusal, string cluster) => LogBackendAsks(
        claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), handshake.Origin.Address, refusal.Describe(), refusal.RequestId!, refusal.OwnersCommand,
        OpenClawBackendReader.PathOf(cluster));

    /// <summary>The gate has approved at the backend what it has granted.</summary>
    public void ApprovedAtBackend(HandshakeContext handshake, DeviceClaim claim, BackendRefusal refusal) => LogApproved(
        claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), handshake.Origin.Address, refusal.Describe(), refusal.RequestId!);

    /// <summary>The gate could not approve at the backend what it has granted.</summary>
    public void NotApprovedAtBackend(HandshakeContext handshake, DeviceClaim claim, BackendRefusal refusal, string problem) => LogNotApproved(
        claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), handshake.Origin.Address, refusal.Describe(), refusal.RequestId!, problem, refusal.OwnersCommand);

    /// <summary>The backend refused a client without a device that the gate had admitted.</summary>
    public void BackendRefusedDeviceless(HandshakeContext handshake, Session session, BackendRefusal refusal) =>
        LogBackendRefusedDeviceless(session.User, session.Role, LogText.Of(session.Scopes), handshake.Origin.Address, refusal.Describe());

    /// <summary>The backend has approved more than the gate has granted.</summary>
    public void ApprovedTooMuch(DeviceClaim claim, BackendRefusal refusal, string problem) => LogApprovedTooMuch(claim.Device, refusal.RequestId!, problem);

    /// <summary>A backend is configured for a cluster that the proxy does not have.</summary>
    public void UnknownCluster(string cluster) => LogUnknownCluster(OpenClawBackendReader.PathOf(cluster), cluster);

    [LoggerMessage(1127, LogLevel.Warning, "{Key} is of no use: the proxy has no cluster {Cluster}. Is it misspelt?")]
    private partial void LogUnknownCluster(string key, string cluster);

    [LoggerMessage(1125, LogLevel.Information, "The backend refused a client without a device, of user {User}, which was admitted as {Role} with [{Scopes}] from {Address}: {Refusal}.")]
    private partial void LogBackendRefusedDeviceless(object? user, string role, string scopes, string? address, string refusal);

    [LoggerMessage(1126, LogLevel.Error, "The gate approved request {Request} of device {Device} at the backend, and {Problem}. The device may have asked the backend for more, past the gate, at the same time.")]
    private partial void LogApprovedTooMuch(object device, string request, string problem);

    [LoggerMessage(1120, LogLevel.Information, "Connected to the backend {Destination}, to approve pairings there (DeviceAuth:Backends).")]
    private partial void LogConnected(string destination);

    [LoggerMessage(1105, LogLevel.Information, "The backend refused device {Device}, which was admitted as {Role} with [{Scopes}] from {Address}: {Refusal}.")]
    private partial void LogBackendRefused(object device, string role, string scopes, string? address, string refusal);

    [LoggerMessage(1121, LogLevel.Warning, "The backend does not know the token that it has issued to device {Device}. An OpenClaw gateway deletes pairings that "
        + "it has approved silently as soon as another client looks like the same, and behind the gate those of two people do: see docs/openclaw.md.")]
    private partial void LogForgotten(object device);

    [LoggerMessage(1122, LogLevel.Warning, "The backend asks for a pairing of its own before it lets in device {Device}, which was admitted as {Role} with [{Scopes}] "
        + "from {Address}: {Refusal}, request {Request}. Its owner can approve it: {Command}. The gate can do that by itself with {Key}:TokenFile.")]
    private partial void LogBackendAsks(
        object device, string role, string scopes, string? address, string refusal, string request, string command, string key);

    [LoggerMessage(1123, LogLevel.Information, "Approved at the backend what was granted to device {Device} as {Role} with [{Scopes}] from {Address}: {Refusal}, "
        + "request {Request}. The client is told to connect again.")]
    private partial void LogApproved(object device, string role, string scopes, string? address, string refusal, string request);

    [LoggerMessage(1124, LogLevel.Error, "The backend asks for a pairing of its own before it lets in device {Device}, which was admitted as {Role} with [{Scopes}] "
        + "from {Address}: {Refusal}, request {Request}. The gate could not approve it: {Problem}. Its owner can: {Command}.")]
    private partial void LogNotApproved(
        object device, string role, string scopes, string? address, string refusal, string request, string problem, string command);
}
