using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>Whether a request that reached the backend was rightly forwarded: read, verified and compared apart from the gate.</summary>
/// <param name="nonces">The nonces that are good.</param>
/// <param name="grants">What operators have approved: device, audience and role -> scopes.</param>
internal sealed partial class ProofEvidence(IReadOnlyCollection<string> nonces, IReadOnlyDictionary<(string Device, string Audience, string Role), string[]> grants)
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    private readonly ConcurrentDictionary<(string Device, string Id), bool> _used = [];

    /// <summary>The session tokens that the gate has given: whose they are, and for which scopes.</summary>
    public required IReadOnlyDictionary<string, (string Device, string[] Scopes)> Tokens { get; init; }

    /// <summary>What is wrong; null if the request proves a device whose grant covers it, by a proof that was not used before.</summary>
    /// <param name="sent">The request's bytes, as they were sent.</param>
    /// <param name="heard">The request that the backend got.</param>
    public string? Against(byte[] sent, HttpRequest heard)
    {
        try
        {
            return Judge(Encoding.Latin1.GetString(sent), heard);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or JsonException or ArgumentException or IndexOutOfRangeException or CryptographicException)
        {
            return "no proof can be read in it: " + e.Message;
        }
    }

    private string? Judge(string sent, HttpRequest heard)
    {
        string[] lines = sent[..sent.IndexOf("\r\n\r\n", StringComparison.Ordinal)].Split("\r\n");
        string[] request = lines[0].Split(' ');
        (string Name, string Value)[] headers = [.. lines[1..].Select(l => l.Split(':', 2)).Where(l => l.Length == 2).Select(l => (l[0], l[1].Trim(' ', '\t')))];
        bool isUpgrade = heard.HttpContext.WebSockets.IsWebSocketRequest;
        string route = heard.Path.Value!.Split('/')[1].ToLowerInvariant(); // as routes are matched
        string[] proofs =
        [
            .. headers.Where(h => h.Name.Equals(route == "dpop" ? "DPoP" : "Device-Proof", StringComparison.OrdinalIgnoreCase)).Select(h => h.Value),
            .. headers.Where(h => isUpgrade && h.Name.Equals("Sec-WebSocket-Protocol", StringComparison.OrdinalIgnoreCase)).SelectMany(h => h.Value.Split(',').Select(p => p.Trim(' ', '\t')))
                .Where(p => p.StartsWith("device-proof.v1.", StringComparison.Ordinal)).Select(p => p["device-proof.v1.".Length..]),
        ];
        string[] sessions = [.. headers.Where(h => route == "tokens" && h.Name.Equals("Device-Session", StringComparison.OrdinalIgnoreCase)).Select(h => h.Value)];
        if (sessions.Length > 1)
            return "it has two session tokens";
        (string Device, string[] Scopes)? session = sessions.Length == 0 ? null : Tokens[sessions[0]];
        if (session is { } own && proofs.Length == 0)
            return Tells(heard, isUpgrade ? "GET" : request[0], request[1], own.Device, "client", own.Scopes, "default");
        if (proofs.Length != 1)
            return $"it has {proofs.Length} proofs";

        string[] parts = proofs[0].Split('.');
        if (parts.Length != 3 || proofs[0].Length > 4096)
            return "the proof has not three parts, or too many characters";
        JsonElement header = JsonDocument.Parse(Decode(parts[0]), Strict).RootElement;
        JsonElement claims = JsonDocument.Parse(Decode(parts[1]), Strict).RootElement;
        if (Text(header, "typ") != "dpop+jwt" || header.TryGetProperty("crit", out _))
            return "it is no proof";
        JsonElement jwk = header.GetProperty("jwk");
        bool isP256 = Text(header, "alg") == "ES256";
        if (!isP256 && Text(header, "alg") is not ("EdDSA" or "Ed25519"))
            return "its algorithm is none of ours";
        if (Text(jwk, "kty") != (isP256 ? "EC" : "OKP") || Text(jwk, "crv") != (isP256 ? "P-256" : "Ed25519") || jwk.TryGetProperty("d", out _))
            return "its key is none of this algorithm, or a private one";
        byte[] key = isP256 ? [4, .. Decode(Text(jwk, "x")!), .. Decode(Text(jwk, "y")!)] : Decode(Text(jwk, "x")!);
        if (!Verifies(isP256, key, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), Decode(parts[2])))
            return "its signature does not hold";

        if (Text(claims, "htm") != (isUpgrade ? "GET" : request[0]) || claims.GetProperty("iat").ValueKind != JsonValueKind.Number)
            return "it is for another method, or has no time";
        Match url = OwnUrl().Match(Text(claims, "htu")!);
        if (!url.Success || Normal(url.Groups["path"].Value) != Normal(request[1].Split('?')[0]))
            return $"it is for another path or site: {Text(claims, "htu")}";
        if (!nonces.Contains(Text(claims, "nonce")))
            return "its nonce is not good";
        string? token = session is not null ? ProofFuzzing.HashOf(sessions[0]) : route == "dpop" ? TokenHash(headers) : null;
        bool namesToken = claims.TryGetProperty("ath", out JsonElement hash);
        if (namesToken ? hash.GetString() != token : session is not null)
            return "it is for another token";

        string device = Convert.ToHexStringLower(SHA256.HashData(key));
        string audience = route == "other" ? "other" : "default";
        string role = claims.TryGetProperty("role", out JsonElement asked) ? asked.GetString()! : "client";
        string[] needed = route == "scoped" ? ["files.read", "files.write"] : [];
        string[] scopes = claims.TryGetProperty("scope", out JsonElement given) ? given.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries) : session?.Scopes ?? needed;
        if (session is { } held && (held.Device != device || !scopes.All(held.Scopes.Contains)))
            return "it asks for more than its session token";
        if (!grants.TryGetValue((device, audience, role), out string[]? granted) || !scopes.All(granted.Contains) || !needed.All(scopes.Contains))
            return $"{role} with [{string.Join(' ', scopes)}] in {audience} is not granted to {device}";
        string id = Text(claims, "jti")!;
        if (id.Length is 0 or > 128 || id.Any(c => c is < '!' or > '~') || !_used.TryAdd((device, id), true))
            return "it has no id, or was used before";
        return Tells(heard, isUpgrade ? "GET" : request[0], request[1], device, role, scopes, audience);
    }

    /// <summary>What is wrong with the request that the backend got.</summary>
    private static string? Tells(HttpRequest heard, string method, string target, string device, string role, string[] scopes, string audience)
    {
        string path = heard.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0];
        path = path.Replace("%252f", "%2f", StringComparison.OrdinalIgnoreCase); // the proxy encodes encoded slashes once more
        if (heard.Method != method || Normal(path) != Normal(new Uri("http://127.0.0.1" + target).AbsolutePath)) // the server resolves dots before it matches routes
            return $"the backend got {heard.Method} {path}";
        if (heard.Headers["X-Device-Id"] != device || heard.Headers["X-Device-Role"] != role || heard.Headers["X-Device-Audience"] != audience)
            return "the backend was told of another device";
        if (!heard.Headers["X-Device-Scopes"].ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet().SetEquals(scopes))
            return "the backend was told of other scopes";
        string[] names = [.. heard.Headers.Keys.Select(k => k.Replace('_', '-').ToUpperInvariant())];
        if (names.Count(n => n.StartsWith("X-DEVICE-", StringComparison.Ordinal)) != 4 || names.Any(n => n.StartsWith("DEVICE-", StringComparison.Ordinal) || n is "DPOP" or "DPOP-NONCE"))
            return $"the backend got headers that are the gate's, or of nobody: {string.Join(' ', names)}";
        return heard.Headers.SecWebSocketProtocol.ToString().Contains("device-proof", StringComparison.OrdinalIgnoreCase) ? "the backend got a proof" : null;
    }

    private static bool Verifies(bool isP256, byte[] key, byte[] signed, byte[] signature)
    {
        if (!isP256)
            return key.Length == 32 && signature.Length == 64 && Gate.TestDevice.OpenSslVerifies(key, signed, signature);
        using var ec = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = key[1..33], Y = key[33..65] } });
        return key.Length == 65 && signature.Length == 64 && ec.VerifyData(signed, signature, HashAlgorithmName.SHA256);
    }

    private static string? TokenHash((string Name, string Value)[] headers) =>
        headers.Where(h => h.Name.Equals("Authorization", StringComparison.OrdinalIgnoreCase)).ToArray() is [var only] && only.Value.StartsWith("DPoP ", StringComparison.OrdinalIgnoreCase)
            ? ProofFuzzing.HashOf(only.Value[5..])
            : null;

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();

    private static byte[] Decode(string text)
    {
        byte[] bytes = Base64Url.DecodeFromChars(text);
        return Base64Url.EncodeToString(bytes) == text ? bytes : throw new FormatException("another spelling of base64url");
    }

    private static string Normal(string path) => Escape().Replace(path, escape =>
        (char)int.Parse(escape.ValueSpan[1..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) is var c && (char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~')
            ? c.ToString()
            : escape.Value.ToUpperInvariant());

    [GeneratedRegex(@"^https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d{1,5})?(?<path>/[^?#]*)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OwnUrl();

    [GeneratedRegex("%[0-9a-fA-F]{2}", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escape();
}
