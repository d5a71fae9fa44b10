using System.Net.WebSockets;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>The parameters of a <see cref="DeviceClient"/>'s connection besides role and scopes.</summary>
public sealed record ConnectOptions
{
    /// <summary>The version of the protocol, as <c>minProtocol</c> and <c>maxProtocol</c>: 3 or 4.</summary>
    public int Protocol { get; init; } = 4;

    /// <summary>The kind of client (<c>client.id</c>).</summary>
    public string ClientId { get; init; } = "cli";

    /// <summary>How the client runs (<c>client.mode</c>).</summary>
    public string ClientMode { get; init; } = "cli";

    /// <summary>The client's version (<c>client.version</c>).</summary>
    public string ClientVersion { get; init; } = "1.0.0";

    /// <summary>The operating system (<c>client.platform</c>).</summary>
    public string Platform { get; init; } = "linux";

    /// <summary>The family of the device (<c>client.deviceFamily</c>); null to leave it out.</summary>
    public string? DeviceFamily { get; init; }

    /// <summary>The device's name for people (<c>client.displayName</c>); null to leave it out.</summary>
    public string? DisplayName { get; init; }

    /// <summary>The shared token (<c>auth.token</c>), which is also signed; null to leave it out.</summary>
    public string? Token { get; init; }

    /// <summary>Sets headers, subprotocols, certificates and so on of the upgrade request; null for none.</summary>
    public Action<ClientWebSocketOptions>? ConfigureWebSocket { get; init; }

    /// <summary>How long upgrade and handshake may take together.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);
}
