using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>Where a proof is looked for, and what the backend gets of the subprotocols.</summary>
public sealed class PresentedProofTests
{
    private const string Two = "The request has more than one proof.";
    private const string NoMarker = "The subprotocol of a proof needs device-proof.v1 beside it.";

    // The headers Device-Proof, DPoP and Sec-WebSocket-Protocol, | between two lines; whether the route takes the standard's header and the request is an upgrade;
    // the proof, what is wrong, and whether it came as a browser sends it.
    [Theory]
    [InlineData(null, null, null, false, false, null, null, false)]
    [InlineData("one", null, null, false, false, "one", null, false)]
    [InlineData("one|two", null, null, false, false, null, Two, false)]
    [InlineData("one", "two", null, false, false, "one", null, false)]
    [InlineData("one", "two", null, true, false, "two", null, false)]
    [InlineData(null, "two", null, false, false, null, null, false)]
    [InlineData("one", null, null, true, false, null, null, false)]
    [InlineData(null, "one|two", null, true, false, null, Two, false)]
    [InlineData("one", null, null, false, true, "one", null, false)]
    [InlineData("one", null, "chat", false, true, "one", null, false)]
    [InlineData(null, null, "chat", false, true, null, null, false)]
    [InlineData(null, null, "device-proof.v1, device-proof.v1.one", false, true, "one", null, true)]
    [InlineData(null, null, "device-proof.v1.one,device-proof.v1", false, true, "one", null, true)]
    [InlineData(null, null, "device-proof.v1|chat, device-proof.v1.one, more", false, true, "one", null, true)]
    [InlineData(null, null, "device-proof.v1, device-proof.v1, device-proof.v1.one", false, true, "one", null, true)]
    [InlineData(null, null, "device-proof.v1, device-proof.v1.one", true, true, "one", null, true)]
    [InlineData(null, null, "device-proof.v1, device-proof.v1.", false, true, "", null, true)]
    [InlineData(null, null, "device-proof.v1", false, true, null, null, false)]
    [InlineData("one", null, "device-proof.v1", false, true, "one", null, false)]
    [InlineData(null, null, "device-proof.v1.one", false, true, null, NoMarker, false)]
    [InlineData(null, null, "device-proof.v1.one, Device-Proof.v1", false, true, null, NoMarker, false)]
    [InlineData(null, null, "device-proof.v1, Device-Proof.v1.one", false, true, null, null, false)]
    [InlineData(null, null, "device-proof.v1, device-proof.v1.one, device-proof.v1.two", false, true, null, Two, true)]
    [InlineData(null, null, "device-proof.v1.one, device-proof.v1.two", false, true, null, Two, false)]
    [InlineData("one", null, "device-proof.v1, device-proof.v1.two", false, true, null, Two, true)]
    [InlineData("one|two", null, "device-proof.v1", false, true, null, Two, false)]
    [InlineData(null, null, "device-proof.v1, device-proof.v1.one", false, false, null, null, false)] // no upgrade
    [InlineData("one", null, "device-proof.v1, device-proof.v1.two", false, false, "one", null, false)]
    public void A_proof_comes_once(string? own, string? standard, string? protocols, bool isDPoP, bool isUpgrade, string? text, string? fault, bool isSubprotocol)
    {
        IHeaderDictionary headers = new DefaultHttpContext().Request.Headers;
        foreach ((string name, string? lines) in (ReadOnlySpan<(string, string?)>)[("Device-Proof", own), ("DPoP", standard), ("Sec-WebSocket-Protocol", protocols)])
        {
            if (lines is not null)
                headers[name] = lines.Split('|');
        }

        PresentedProof found = PresentedProof.Find(headers, new ProofRoute("client", ScopeSet.Empty, isDPoP), isUpgrade);

        (found.Text, found.Fault?.Detail, found.IsSubprotocol).ShouldBe((text, fault, isSubprotocol));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("device-proof.v1, device-proof.v1.one", null)]
    [InlineData("device-proof.v1|device-proof.v1.one", null)]
    [InlineData("device-proof.v1", null)]
    [InlineData("chat", "chat")]
    [InlineData("chat, device-proof.v1,, device-proof.v1.one ,more", "chat, more")]
    [InlineData("chat|device-proof.v1.one, more", "chat, more")]
    [InlineData("Device-Proof.v1, device-proof.v2.one, \"device-proof.v1.one\", chat", "chat")]
    [InlineData("device-proofs", "device-proofs")]
    public void The_backend_gets_the_applications_own_subprotocols(string? offered, string? left)
    {
        IHeaderDictionary headers = new DefaultHttpContext().Request.Headers;
        if (offered is not null)
            headers.SecWebSocketProtocol = offered.Split('|');

        PresentedProof.RemoveFrom(headers);

        ((string?)headers.SecWebSocketProtocol).ShouldBe(left);
        headers.ContainsKey("Sec-WebSocket-Protocol").ShouldBe(left is not null);
    }
}
