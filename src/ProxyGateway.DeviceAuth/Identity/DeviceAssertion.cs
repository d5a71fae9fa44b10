using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>A signed statement of who was admitted, for a backend that wants to rely on more than a header: a JWT (RFC 7519).</summary>
internal static class DeviceAssertion
{
    /// <summary>What its header says it is, so that nothing else signed by the same key can be taken for one (RFC 8725 §3.11).</summary>
    public const string Type = "device-assertion+jwt";

    /// <summary>How long it is valid.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }; // it stands in no page

    /// <summary>Makes one.</summary>
    /// <param name="device">The admitted device.</param>
    /// <param name="issuer">The gateway.</param>
    /// <param name="now">The time.</param>
    /// <param name="signer">The key.</param>
    public static string Make(IDeviceFeature device, string issuer, DateTimeOffset now, AssertionSigner signer)
    {
        string signed = $"{Encode(json => WriteHeader(json, signer))}.{Encode(json => WriteClaims(json, device, issuer, now.ToUnixTimeSeconds()))}";
        return $"{signed}.{Base64Url.EncodeToString(signer.Sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    private static void WriteHeader(Utf8JsonWriter json, AssertionSigner signer)
    {
        json.WriteString("alg", signer.Algorithm);
        json.WriteString("typ", Type);
        if (signer.Id is { } id)
            json.WriteString("kid", id);
    }

    private static void WriteClaims(Utf8JsonWriter json, IDeviceFeature device, string issuer, long now)
    {
        DeviceClaim claim = device.Claim;
        json.WriteString("iss", issuer);
        json.WriteString("aud", claim.Audience.ToString());
        json.WriteString("sub", claim.Device.ToString());
        json.WriteNumber("iat", now);
        json.WriteNumber("nbf", now);
        json.WriteNumber("exp", now + (long)Lifetime.TotalSeconds);
        json.WriteString("jti", Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)));
        json.WriteString("sid", device.ConnectionId.ToString(CultureInfo.InvariantCulture));
        json.WriteString("role", claim.Role);
        json.WriteString("scope", string.Join(' ', claim.Scopes));
        if (DeviceKey.ThumbprintOf(claim.PublicKey) is { } thumbprint)
        {
            json.WriteStartObject("cnf");
            json.WriteString("jkt", thumbprint);
            json.WriteEndObject();
        }

        json.WriteStartObject("client");
        json.WriteOptional("id"u8, claim.Client.Id);
        json.WriteOptional("displayName"u8, claim.Client.DisplayName);
        json.WriteOptional("platform"u8, claim.Client.Platform);
        json.WriteOptional("mode"u8, claim.Client.Mode);
        json.WriteEndObject();
    }

    private static string Encode(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Plain))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Base64Url.EncodeToString(buffer.WrittenSpan);
    }
}
