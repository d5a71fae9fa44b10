using System.Buffers.Text;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Identity;

/// <summary>A handshake that takes every request for one of the same device, which has no need to prove anything.</summary>
internal sealed class AnyDevice : IDeviceHandshake
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    public static DeviceClaim Claim { get; } = new(
        DeviceId.Of(Key), Base64Url.EncodeToString(Key), "client", ScopeSet.Of("agent.use", "agent.read"), new ClientDescription(Id: "a-client", DisplayName: "A client"));

    public bool TakesHttpRequests => true;

    public async Task InvokeAsync(HandshakeRequest request)
    {
        if (await request.DecideAsync(Claim) is not Admission.Admitted || !await request.ForwardAsync())
            request.Http.Response.StatusCode = StatusCodes.Status403Forbidden;
    }
}
