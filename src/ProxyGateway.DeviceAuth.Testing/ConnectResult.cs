using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>The result of an attempt to connect.</summary>
public abstract record ConnectResult
{
    private ConnectResult()
    {
    }

    /// <summary>The backend has answered <c>hello-ok</c>.</summary>
    /// <param name="WebSocket">The open connection. The caller disposes of it.</param>
    /// <param name="Hello">The payload of the answer.</param>
    public sealed record Admitted(WebSocket WebSocket, JsonElement Hello) : ConnectResult;

    /// <summary>The gate or the backend has refused.</summary>
    public sealed record Refused : ConnectResult
    {
        /// <summary>The status of the answer to the upgrade request; null if the upgrade was accepted, and the handshake refused.</summary>
        public HttpStatusCode? HttpStatus { get; init; }

        /// <summary>The close code (RFC 6455 §7.4.1); null if the connection ended without a close frame.</summary>
        public int? CloseCode { get; init; }

        /// <summary>The reason in the close frame; null or empty if there is none.</summary>
        public string? CloseReason { get; init; }

        /// <summary>The <c>error</c> of the answer to <c>connect</c>: code, message, details. Null if there was no answer.</summary>
        public JsonElement? Error { get; init; }

        /// <summary>
        /// The error's most specific code, such as <c>PAIRING_REQUIRED</c>: that of its details, or else its own; null if it has none.
        /// </summary>
        public string? ErrorCode => TextOf(Details, "code") ?? TextOf(Error, "code");

        /// <summary>The error's details; null if it has none.</summary>
        public JsonElement? Details =>
            Error is { ValueKind: JsonValueKind.Object } error && error.TryGetProperty("details", out JsonElement details) ? details : null;

        /// <summary>Why pairing is required, such as <c>role-upgrade</c>; null if it is not.</summary>
        public string? Reason => TextOf(Details, "reason");

        /// <summary>The pairing request that waits for an operator; null if there is none.</summary>
        public RequestId? RequestId => Pairing.RequestId.TryParse(TextOf(Details, "requestId"), out RequestId id) ? id : null;

        private static string? TextOf(JsonElement? element, string name) =>
            element is { ValueKind: JsonValueKind.Object } parent && parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : null;
    }
}
