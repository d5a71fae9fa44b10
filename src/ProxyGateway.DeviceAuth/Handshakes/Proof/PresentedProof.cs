using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Where in a request its proof is.</summary>
/// <param name="Text">The proof; null if there is none, or not exactly one.</param>
/// <param name="Fault">What is wrong with how it is presented; null if nothing is.</param>
/// <param name="IsSubprotocol">
/// Whether it came as a browser's WebSocket sends it, with the marker beside it: such a client can read neither the status nor the body of a refused upgrade.
/// </param>
internal sealed record PresentedProof(string? Text, ProofFault? Fault, bool IsSubprotocol)
{
    private static readonly PresentedProof None = new(Text: null, Fault: null, IsSubprotocol: false);

    /// <summary>Finds the proof of a request.</summary>
    /// <param name="headers">The request's headers.</param>
    /// <param name="route">The route.</param>
    /// <param name="isUpgrade">Whether it is a WebSocket upgrade.</param>
    public static PresentedProof Find(IHeaderDictionary headers, ProofRoute route, bool isUpgrade)
    {
        StringValues lines = headers[route.ProofHeader];
        string? text = lines.Count == 0 ? null : lines[0];
        bool hasMarker = false;
        int offered = 0;
        if (isUpgrade && headers.SecWebSocketProtocol.Count > 0)
        {
            foreach (string protocol in ProtocolsOf(headers))
            {
                hasMarker |= protocol == ProofNames.Subprotocol;
                if (!protocol.StartsWith(ProofNames.SubprotocolPrefix, StringComparison.Ordinal))
                    continue;
                text = protocol[ProofNames.SubprotocolPrefix.Length..];
                offered++;
            }
        }

        if (lines.Count + offered > 1)
            return new PresentedProof(Text: null, ProofFault.MoreThanOne, IsSubprotocol: offered > 0 && hasMarker);
        if (offered > 0)
            return hasMarker ? new PresentedProof(text, Fault: null, IsSubprotocol: true) : new PresentedProof(Text: null, ProofFault.NoMarker, IsSubprotocol: false);
        return text is null ? None : new PresentedProof(text, Fault: null, IsSubprotocol: false);
    }

    /// <summary>Removes the gate's own subprotocols, and what is spelled like one and may hold a proof: the rest is between the client and the backend.</summary>
    public static void RemoveFrom(IHeaderDictionary headers)
    {
        if (headers.SecWebSocketProtocol.Count == 0)
            return;
        string rest = string.Join(", ", ProtocolsOf(headers).Where(p => !p.Contains(ProofNames.SubprotocolFamily, StringComparison.OrdinalIgnoreCase)));
        if (rest.Length == 0)
            headers.Remove("Sec-WebSocket-Protocol");
        else
            headers.SecWebSocketProtocol = rest;
    }

    private static IEnumerable<string> ProtocolsOf(IHeaderDictionary headers) =>
        headers.SecWebSocketProtocol.SelectMany(line => (line ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
