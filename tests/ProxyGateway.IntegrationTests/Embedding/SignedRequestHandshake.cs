using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>The handshake of docs/embedding.md: a header with a P-256 key, a time, and a signature of the request by that key.</summary>
internal sealed class SignedRequestHandshake(TimeProvider time) : IDeviceHandshake
{
    private const string Header = "Device-Signature"; // base64url(key).unix seconds.base64url(signature)

    public IReadOnlyCollection<string> RequestHeaders { get; } = [Header];

    public bool TakesHttpRequests => true;

    public async Task InvokeAsync(HandshakeRequest request)
    {
        HttpResponse response = request.Http.Response;
        if (Verify(request) is not { } claim)
        {
            await request.RefuseAsync("device signature invalid");
            response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        switch (await request.DecideAsync(claim))
        {
            case Admission.Admitted when await request.ForwardAsync():
                break;
            case Admission.Refused refused:
                response.StatusCode = StatusCodes.Status403Forbidden;
                await response.WriteAsync(refused.Request.Id.ToString(), request.Http.RequestAborted);
                break;
            case Admission.Blocked or Admission.RefusedByFilter or Admission.Unauthorized:
                response.StatusCode = StatusCodes.Status403Forbidden;
                break;
            default:
                response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                break;
        }
    }

    private DeviceClaim? Verify(HandshakeRequest request)
    {
        if (request.Http.Request.Headers[Header].ToString().Split('.') is not [var key, var seconds, var signature]
            || !long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out long signedAt)
            || Math.Abs(time.GetUtcNow().ToUnixTimeSeconds() - (double)signedAt) > request.Options.SignatureSkew.TotalSeconds)
        {
            return null;
        }

        try
        {
            byte[] point = Base64Url.DecodeFromChars(key);
            if (point is not [4, ..] || point.Length != 65)
                return null;
            using var device = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = point[1..33], Y = point[33..] } });
            return device.VerifyData(Signed(request.Http.Request, seconds), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256)
                ? new DeviceClaim(DeviceId.Of(point), Base64Url.EncodeToString(point), "client", ScopeSet.Of("agent.use"), new ClientDescription())
                : null;
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return null;
        }
    }

    private static byte[] Signed(HttpRequest request, string seconds) => Encoding.UTF8.GetBytes($"{request.Method}\n{request.Host}\n{request.Path}{request.QueryString}\n{seconds}");
}
