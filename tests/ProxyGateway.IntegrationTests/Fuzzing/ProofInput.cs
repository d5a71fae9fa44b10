using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>
/// One request, made from a seed and an index: one that would be admitted, changed in its claims before they are signed, in the proof's text, in the request, or in
/// any of its bytes. Its path has a name, so that it can be recognised by the backend.
/// </summary>
internal sealed class ProofInput
{
    /// <summary>What names look like.</summary>
    public const string NamePattern = "[0-9]+-[0-9a-f]{8}";

    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1e400", "\"\"", "\" \"", "[]", "{}", "[\"GET\"]", "\"client\"", "\"operator\"", "\"files.read\"", "\"files.read files.write\"", "\"a\\u0000\"", "\"\\ud800\"", "\"é\"",
        "\"GET\"", "\"get\"", "\"ES256\"", "\"EdDSA\"", "\"none\"", "\"HS256\"", "\"dpop+jwt\"", "\"at+jwt\"", "{\"id\":\"cli\"}", "{\"id\":1}",
    ];

    private static readonly string[] Lines =
    [
        "Device-Session: AAAA.BBBB", "X-Device-Id: 00", "X_Device_Id: 00", "X-Device-Role: operator", "X-Device-Scopes: files.write", "X-Device-Audience: other", "Connection: X-Device-Id, X-Device-Role",
        "Origin: https://page.example", "Origin: https://evil.example", "Origin: null", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: device-proof", "Sec-Fetch-Site: cross-site",
        "X-HTTP-Method-Override: DELETE", "X-Original-URL: /other/x", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /other", "Forwarded: for=127.0.0.1", "Content-Length: 0",
        "Transfer-Encoding: chunked", "Trailer: Device-Proof", "Expect: 100-continue", "Host: evil.example", "Device-Nonce: AAAA", "DPoP-Nonce: AAAA", "Device_Proof: AAAA", "Device-Proof:", "DPoP: AAAA",
        "Authorization: DPoP token", "Authorization: Bearer token", "Cookie: a=b", "Upgrade: h2c", "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAAQAAP__", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: device-proof.v1",
        "Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Version: 12", "TE: trailers", "Content-Type: application/grpc",
    ];

    private static readonly string[] Upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="];

    private readonly ProofFuzzing _of;
    private readonly Random _random;
    private readonly List<(string Name, string Json)> _header;
    private readonly List<(string Name, string Json)> _claims;
    private readonly List<string> _lines = [];
    private readonly List<string> _changes = [];
    private readonly ProofSigner _device;
    private readonly string _route;
    private string _method = "GET";
    private string _target;
    private readonly Place _place;

    public ProofInput(ProofFuzzing of, int seed, int index)
    {
        (_of, _random, Seed, Index) = (of, new Random(unchecked((seed * 1_000_003) + index)), seed, index);
        Name = string.Create(CultureInfo.InvariantCulture, $"{index}-{_random.Next():x8}");
        _device = of.Devices[_random.Next(of.Devices.Count)];
        _route = Any("work", "work", "work", "work", "dpop", "dpop", "scoped", "other", "tokens", "tokens");
        _target = $"/{_route}/{Name}";
        _place = _random.Next(5) switch { 0 => Place.Subprotocol, 1 => Place.HeaderOfUpgrade, _ => Place.Header };
        if (_place == Place.Header)
            _method = Any("GET", "GET", "POST", "DELETE");
        _header = [("typ", "\"dpop+jwt\""), ("alg", $"\"{_device.Algorithm}\""), ("jwk", _device.Jwk.ToJsonString())];
        _claims =
        [
            ("jti", $"\"{Name}\""), ("htm", $"\"{_method}\""), ("htu", $"\"http://127.0.0.1:{of.Port}{_target}\""), ("iat", "1"), ("nonce", $"\"{of.Nonces[_random.Next(of.Nonces.Count)]}\""),
        ];
        if (_route == "scoped" && _random.Next(3) == 0)
            _claims.Add(("scope", "\"files.read\""));

        string? token = _route == "tokens" && _random.Next(3) > 0 ? of.Tokens[_random.Next(of.Tokens.Count)] : null;
        if (token is not null && _random.Next(2) == 0)
            Set(_claims, "ath", $"\"{ProofFuzzing.HashOf(token)}\"");
        int changes = _random.Next(8) switch { 0 => 0, < 6 => 1, _ => 2 + _random.Next(2) };
        for (int i = 0; i < changes; i++)
        {
            if (_random.Next(2) == 0)
                ChangeClaims();
        }

        string proof = _device.Sign(Text(_header), Text(_claims));
        if (changes > 0 && _random.Next(3) == 0)
            proof = ChangeProof(proof);
        Present(proof);
        if (token is not null)
            AddToken(changes > 0 && _random.Next(2) == 0 ? ChangeToken(token) : token);
        if (changes > 0 && _random.Next(2) == 0)
            ChangeRequest(proof);
        string body = _method is "POST" or "PUT" ? "Content-Length: 4\r\n\r\nbody" : "\r\n";
        Request = Encoding.Latin1.GetBytes($"{_method} {_target} HTTP/1.1\r\nHost: 127.0.0.1:{of.Port}\r\n{string.Concat(_lines.Select(l => l + "\r\n"))}{body}");
        if (changes > 1 && _random.Next(3) == 0)
        {
            _changes.Add("bytes");
            IsSpoiled = true;
            Request = Mutation.Of(Request, _random, 1 + _random.Next(3));
        }

        Times = _random.Next(12) == 0 ? 2 : 1;
    }

    private enum Place
    {
        Header,
        HeaderOfUpgrade,
        Subprotocol,
    }

    public int Seed { get; }

    public int Index { get; }

    /// <summary>What is in its path. No change of another's comes to be this one.</summary>
    public string Name { get; }

    public byte[] Request { get; }

    /// <summary>Whether its bytes were changed, so that it may be no request, or two.</summary>
    public bool IsSpoiled { get; }

    /// <summary>How often it is sent, each time on a connection of its own.</summary>
    public int Times { get; }

    public override string ToString() => $"{string.Join(", ", _changes)}\n{Encoding.Latin1.GetString(Request)}";

    private static string Text(List<(string Name, string Json)> members) => $"{{{string.Join(',', members.Select(m => $"\"{m.Name}\":{m.Json}"))}}}";

    private T Any<T>(params ReadOnlySpan<T> of) => of[_random.Next(of.Length)];

    private void ChangeClaims()
    {
        int change = _random.Next(14);
        _changes.Add($"claims {change}");
        List<(string Name, string Json)> members = _random.Next(3) == 0 ? _header : _claims;
        int at = _random.Next(members.Count);
        switch (change)
        {
            case 0:
                members[at] = (members[at].Name, Any<string>(Values));
                break;
            case 1:
                members.RemoveAt(at);
                break;
            case 2:
                members.Insert(_random.Next(members.Count + 1), (members[at].Name, _random.Next(2) == 0 ? members[at].Json : Any<string>(Values)));
                break;
            case 3:
                members.Add((Any("crit", "kid", "b64", "role", "scope", "ath", "client", "exp", "audience", "__proto__"), Any<string>(Values)));
                break;
            case 4:
                Set(_claims, "htm", $"\"{Any("GET", "POST", "get", "HEAD", "OPTIONS", "DELETE", "CONNECT", "*")}\"");
                break;
            case 5:
                Set(_claims, "htu", $"\"{Url()}\"");
                break;
            case 6:
                Set(_claims, "nonce", $"\"{Any(_of.OldNonce, _of.ForeignNonce, _of.EarlyNonce, Spoiled(_of.Nonces[0]), "")}\"");
                break;
            case 7:
                Set(_claims, "jti", $"\"{Any("one", "two", "three", new string('a', 128), new string('a', 129), "a b", "é")}\"");
                break;
            case 8:
                Set(_claims, "role", $"\"{Any("client", "operator", "node", "other/client", "")}\"");
                break;
            case 9:
                Set(_claims, "scope", $"\"{Any("files.read", "files.read files.write", "files.write", "", "files.*", "admin", "files.read  files.write")}\"");
                break;
            case 10:
                Set(_header, "jwk", Jwk().ToJsonString());
                break;
            case 11:
                Set(_header, "alg", $"\"{Any("ES256", "EdDSA", "Ed25519", "none", "RS256")}\"");
                break;
            case 12:
                Set(_claims, "ath", $"\"{Any("AAAA", ProofFuzzing.HashOf("token"), "")}\"");
                break;
            default:
                _target = Path();
                if (_random.Next(2) == 0)
                    Set(_claims, "htu", $"\"http://127.0.0.1:{_of.Port}{_target}\"");
                break;
        }
    }

    private static void Set(List<(string Name, string Json)> members, string name, string json)
    {
        members.RemoveAll(m => m.Name == name);
        members.Add((name, json));
    }

    private string Url()
    {
        string origin = Any(
            $"http://127.0.0.1:{_of.Port}", "http://127.0.0.1", "http://localhost", "https://localhost:1", "http://[::1]", "https://gate.example", "http://127.0.0.1@evil.example", "http://evil.example/", "http://127.0.0.1.evil.example",
            "HTTP://127.0.0.1", "ws://127.0.0.1", "//127.0.0.1", "", "http://127.0.0.1:99999", "http://127.0.0.1:");
        return origin + Any(_target, Path(), _target + "?q=1", _target + "#f", _target.ToUpperInvariant(), _target + "/", Escaped(_target));
    }

    private string Path() => Any(
        $"/work/{Name}", $"/tokens/{Name}", $"/other/{Name}", $"/scoped/{Name}", $"/dpop/{Name}", $"/OTHER/{Name}", $"//work/{Name}", $"/work/../other/{Name}", $"/work/./{Name}", $"/work/..%2fother/{Name}", $"/work/%2e%2e/other/{Name}", $"/work%2f{Name}",
        $"/work;v=1/{Name}", $"/work\\{Name}", $"/work/{Name}/", $"/work/{Name}?q=/other/x", $"/work/{Name}%20", $"/work/{Name}%3f", $"/w%6frk/{Name}", $"/work/%c3%a9/{Name}", $"/work/{Name}%00", $"/wo%C0%AErk/{Name}", $"/.well-known/proxygateway/{Name}",
        $"/.well-known/proxygateway/nonce?{Name}", $"http://127.0.0.1:{_of.Port}/work/{Name}", $"http://evil.example/other/{Name}", $"*", $"/work/a%2fb/{Name}", $"/work/a%2Fb/{Name}", $"/work/%7e/{Name}");

    private string Escaped(string path)
    {
        int at = _random.Next(path.Length);
        return string.Create(CultureInfo.InvariantCulture, $"{path[..at]}%{(int)path[at]:x2}{path[(at + 1)..]}");
    }

    private JsonObject Jwk()
    {
        JsonObject jwk = _device.Jwk;
        switch (_random.Next(6))
        {
            case 0:
                jwk["d"] = jwk["x"]!.DeepClone();
                break;
            case 1:
                jwk["x"] = _of.Devices[_random.Next(_of.Devices.Count)].Jwk["x"]!.DeepClone();
                break;
            case 2:
                jwk["kty"] = Any("EC", "OKP", "oct", "RSA");
                break;
            case 3:
                jwk["crv"] = Any("P-256", "P-384", "Ed25519", "Ed448", "X25519");
                break;
            case 4:
                jwk.Remove(Any("x", "kty", "crv"));
                break;
            default:
                jwk = _of.Devices[_random.Next(_of.Devices.Count)].Jwk;
                break;
        }

        return jwk;
    }

    private string ChangeProof(string proof)
    {
        int change = _random.Next(8);
        _changes.Add($"proof {change}");
        string[] parts = proof.Split('.');
        int part = _random.Next(parts.Length);
        switch (change)
        {
            case 0:
                return Spoiled(proof);
            case 1:
                return Encoding.Latin1.GetString(Mutation.Of(Encoding.Latin1.GetBytes(proof), _random, 1)).ReplaceLineEndings("");
            case 2:
                parts[part] += Any("=", "==", " ", "A", ".", "%3d", "\t");
                break;
            case 3:
                ProofSigner other = _of.Devices[_random.Next(_of.Devices.Count)];
                parts[part] = other.Sign(Text(_header), Text(_claims)).Split('.')[part];
                break;
            case 4:
                parts[part] = parts[part][..^1] + (char)(parts[part][^1] + 1); // bits that are left over
                break;
            case 5:
                return SignatureOf.Other(proof);
            case 6:
                parts[part] = parts[part].Replace('-', '+').Replace('_', '/');
                break;
            default:
                parts[part] = Any("", "e30", "bnVsbA", "W10", "AAAA");
                break;
        }

        return string.Join('.', parts);
    }

    private string Spoiled(string text)
    {
        const string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
        int at = _random.Next(text.Length);
        return text[..at] + digits[_random.Next(digits.Length)] + text[(at + 1)..];
    }

    private void Present(string proof)
    {
        string header = _route == "dpop" ? "DPoP" : "Device-Proof";
        if (_place != Place.Header)
            _lines.AddRange(Upgrade);
        _lines.Add(_place == Place.Subprotocol
            ? $"Sec-WebSocket-Protocol: {Any("", "chat, ")}device-proof.v1, device-proof.v1.{proof}{Any("", ", chat")}"
            : $"{header}: {proof}");
    }

    // Beside the proof, or in its place.
    private void AddToken(string token)
    {
        string line = $"Device-Session: {token}";
        if (!_claims.Any(c => c.Name == "ath") && _random.Next(4) > 0)
            _lines[^1] = line;
        else
            _lines.Add(line);
    }

    private string ChangeToken(string token)
    {
        _changes.Add("token");
        string other = _of.Tokens[_random.Next(_of.Tokens.Count)];
        return Any(Spoiled(token), token[.._random.Next(token.Length)], token + "A", token + "=", $"{token}, {other}", $"{token}\r\nDevice-Session: {other}", $"\r\nDevice-Session: {token}", $"\"{token}\"", $"{token[..(token.Length / 2)]}{other[(other.Length / 2)..]}", "");
    }

    private void ChangeRequest(string proof)
    {
        int change = _random.Next(15);
        _changes.Add($"request {change}");
        int last = _lines.Count - 1;
        switch (change)
        {
            case 0:
                _method = Any("get", "HEAD", "OPTIONS", "PUT", "TRACE", "CONNECT", "PROPFIND", "GET", "POST");
                break;
            case 1:
                _target = Path();
                break;
            case 2:
                _lines.Add(_lines[last]);
                break;
            case 3:
                _lines.Insert(_random.Next(_lines.Count + 1), $"{Any("Device-Proof", "DPoP", "device-proof", "Device_Proof")}: {Any(proof, "", "AAAA", Another(proof))}");
                break;
            case 4:
                _lines[last] = $"{_lines[last]}{Any(", ", ",", "; ", " ")}{Any(proof, "", Another(proof))}";
                break;
            case 5:
                _lines[last] = $"{Any("Device_Proof", "DPoP", "Device-Proof ", "DEVICE-PROOF", "Proof", "X-Device-Proof")}: {proof}";
                break;
            case 6:
                _lines[last] = $"Authorization: {Any("DPoP", "Bearer", "Device-Proof")} {proof}";
                break;
            case 7:
                _lines[last] = $"Device-Proof: {Any("\"", "'", "DPoP ", " ", "\t", "<")}{proof}{Any("\"", "'", "", " ")}";
                break;
            case 8:
                _lines[last] = $"Sec-WebSocket-Protocol: {Any("device-proof.v1.{0}", "DEVICE-PROOF.V1, DEVICE-PROOF.V1.{0}", "device-proof.v1, device-proof.v1.{0}, device-proof.v1.{0}", "device-proof.v1, device-proof.v1., device-proof.v1.{0}", "device-proof.v1, \"device-proof.v1.{0}\"", "device-proof.v1;device-proof.v1.{0}", "device-proof.v1, device-proof.v1, device-proof.v1.{0}", "device-proof.v2, device-proof.v2.{0}")}"
                    .Replace("{0}", proof, StringComparison.Ordinal);
                break;
            case 9:
                _lines.Add($"Sec-WebSocket-Protocol: device-proof.v1.{Any(proof, Another(proof), "")}");
                break;
            case 10 when _lines.Count > 1:
                _lines.RemoveAt(_random.Next(_lines.Count));
                break;
            case 11:
                _lines.InsertRange(_random.Next(_lines.Count + 1), Upgrade);
                break;
            default:
                _lines.Insert(_random.Next(_lines.Count + 1), Any<string>(Lines));
                break;
        }
    }

    /// <summary>A second proof for the same request, which alone would be good.</summary>
    private string Another(string proof)
    {
        Set(_claims, "jti", $"\"{Name}-2\"");
        return _random.Next(2) == 0 ? _device.Sign(Text(_header), Text(_claims)) : proof;
    }
}
