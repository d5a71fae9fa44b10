using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Messages of the OpenClaw protocol.</summary>
internal static class Protocol
{
    public static string Challenge(string nonce) =>
        $$$"""{"type":"event","event":"connect.challenge","payload":{"nonce":"{{{nonce}}}","ts":1}}""";

    public static string HelloOk(string id) =>
        $$$"""{"type":"res","id":"{{{id}}}","ok":true,"payload":{"type":"hello-ok","protocol":4}}""";

    public static string Refusal(string id) =>
        $$$"""{"type":"res","id":"{{{id}}}","ok":false,"error":{"code":"INVALID_REQUEST","message":"the backend says no"}}""";

    /// <summary>RFC 6455 §4.2.2.</summary>
    public static string AcceptFor(string key) =>
        Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
}

/// <summary>What a <c>connect</c> request says; tests change what they are about.</summary>
internal sealed record Ask
{
    public string Id { get; init; } = "connect-1";

    public string? Role { get; init; } = "operator";

    public string[]? Scopes { get; init; } = ["operator.read"];

    public string ClientId { get; init; } = "cli";

    public string ClientMode { get; init; } = "cli";

    public string Platform { get; init; } = "Linux ";

    public string? DeviceFamily { get; init; }

    public string? DisplayName { get; init; }

    public string? Token { get; init; } = "secret";

    /// <summary>For whom the device says it acts: signed in version 4.</summary>
    public string? Profile { get; init; }

    public string Version { get; init; } = "v3";

    public int Protocol { get; init; } = 4;

    public DateTimeOffset SignedAt { get; init; } = DateTimeOffset.UtcNow;

    public string Nonce { get; init; } = "a-nonce";

    /// <summary>Last changes to the frame, after it was signed.</summary>
    public Action<JsonObject>? Tamper { get; init; }

    /// <summary>The same of a client that has no device.</summary>
    public Ask WithoutDevice()
    {
        Action<JsonObject>? change = Tamper;
        return this with
        {
            Tamper = frame =>
            {
                frame["params"]!.AsObject().Remove("device");
                change?.Invoke(frame);
            },
        };
    }

    /// <summary>What the device signs.</summary>
    public string PayloadOf(TestDevice device, long? time = null)
    {
        long signedAt = time ?? SignedAt.ToUnixTimeMilliseconds();
        string[] scopes = Scopes ?? [];
        if (Version == "v4")
        {
            string?[] fields =
            [
                device.Id.ToString(), ClientId, ClientMode, Role ?? "operator", $"{scopes.Length}", .. scopes, $"{signedAt}", Token, Nonce,
                Platform.Trim().ToLowerInvariant(), DeviceFamily?.Trim().ToLowerInvariant(), Profile,
            ];
            return string.Join('|', fields.Select(f => $"{f?.Length ?? 0}:{f}").Prepend("v4"));
        }

        string payload = $"{Version}|{device.Id}|{ClientId}|{ClientMode}|{Role ?? "operator"}|{string.Join(',', scopes)}|{signedAt}|{Token}|{Nonce}";
        return Version == "v3" ? $"{payload}|{Platform.Trim().ToLowerInvariant()}|{DeviceFamily?.Trim().ToLowerInvariant()}" : payload;
    }

    /// <summary>The frame of this ask, signed by the device.</summary>
    public string SignedBy(TestDevice device)
    {
        long signedAt = SignedAt.ToUnixTimeMilliseconds();
        string payload = PayloadOf(device, signedAt);
        var client = new JsonObject { ["id"] = ClientId, ["version"] = "1.0.0", ["platform"] = Platform, ["mode"] = ClientMode };
        if (DeviceFamily is not null)
            client["deviceFamily"] = DeviceFamily;
        if (DisplayName is not null)
            client["displayName"] = DisplayName;
        var parameters = new JsonObject
        {
            ["minProtocol"] = Protocol,
            ["maxProtocol"] = Protocol,
            ["client"] = client,
            ["caps"] = new JsonArray(),
            ["device"] = new JsonObject
            {
                ["id"] = device.Id.ToString(),
                ["publicKey"] = device.PublicKey,
                ["signature"] = device.Sign(payload),
                ["signedAt"] = signedAt,
                ["nonce"] = Nonce,
            },
        };
        if (Role is not null)
            parameters["role"] = Role;
        if (Scopes is not null)
            parameters["scopes"] = new JsonArray([.. Scopes.Select(s => JsonValue.Create(s))]);
        if (Token is not null)
            parameters["auth"] = new JsonObject { ["token"] = Token };
        if (Profile is not null)
            parameters["auth"]!["trustedBrokerProfileId"] = Profile;
        var frame = new JsonObject { ["type"] = "req", ["id"] = Id, ["method"] = "connect", ["params"] = parameters };
        Tamper?.Invoke(frame);
        return frame.ToJsonString();
    }
}
