using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Reads a <c>connect</c> request: strict in every member that the gate uses. It ignores the rest, which is for the backend and grows with
/// its versions.
/// </summary>
internal static class ConnectRequestReader
{
    private const string DefaultRole = "operator";
    private const int MaxIdLength = 256;
    private const int MaxTextLength = 4096;

    /// <summary>Reads the request; false with the refusal if it is invalid.</summary>
    /// <param name="message">The text message, valid UTF-8.</param>
    /// <param name="request">The request.</param>
    /// <param name="refusal">The refusal otherwise.</param>
    public static bool TryRead(ReadOnlyMemory<byte> message, out ConnectRequest request, out Refusal refusal)
    {
        request = null!;
        refusal = null!;
        using JsonDocument? document = StrictJson.Parse(message);
        if (document is null)
        {
            refusal = new Refusal(Closing.InvalidHandshake("not strict JSON"));
            return false;
        }

        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object
            || !TryGetText(root, ConnectMember.Type, out string? type) || type != "req"
            || !TryGetText(root, ConnectMember.Id, out string? id) || id is not { Length: > 0 and <= MaxIdLength })
        {
            refusal = new Refusal(Closing.InvalidHandshake("not a request frame"));
            return false;
        }

        string? problem = ReadRequest(root, id, out request);
        if (problem is not null)
            refusal = Answers.InvalidHandshake(id, problem);
        return problem is null;
    }

    /// <summary>The error of the request, in the gate's own words; null if there is none.</summary>
    private static string? ReadRequest(JsonElement root, string id, out ConnectRequest request)
    {
        request = null!;
        if (HasLookAlike(root))
            return "a member is spelled unlike the protocol's";
        if (!TryGetText(root, ConnectMember.Method, out string? method) || method != "connect")
            return "the first request must be connect";
        if (!TryGetObject(root, ConnectMember.Params, out JsonElement? p) || p is not { } parameters)
            return "params must be an object";
        if (!TryGetObject(parameters, ConnectMember.Client, out JsonElement? c) || c is not { } client
            || !TryGetText(client, ConnectMember.Id, out string? clientId) || !IsSignable(clientId)
            || !TryGetText(client, ConnectMember.Mode, out string? clientMode) || !IsSignable(clientMode)
            || !TryGetText(client, ConnectMember.Platform, out string? platform) || !IsSignableOrEmpty(platform)
            || !TryGetText(client, ConnectMember.DeviceFamily, out string? deviceFamily) || !IsSignableOrEmpty(deviceFamily)
            || !TryGetText(client, ConnectMember.DisplayName, out string? displayName))
        {
            return "params.client is malformed";
        }

        if (!TryGetProtocol(parameters, ConnectMember.MinProtocol, out _) || !TryGetProtocol(parameters, ConnectMember.MaxProtocol, out int maxProtocol))
            return "the protocol versions must be integers";
        if (!TryGetText(parameters, ConnectMember.Role, out string? role) || (role is not null && !ScopeSet.IsValidName(role)))
            return "params.role is malformed";
        if (!TryGetScopes(parameters, out List<string> scopes))
            return "params.scopes is malformed";
        if (!TryGetTokens(parameters, out string? sharedToken, out string signedToken, out string? profile))
            return "params.auth is malformed";
        if (!IsSignableOrEmpty(signedToken))
            return "params.auth is malformed: a token must not hold a comma, a | or a control character";
        if (!IsSignableOrEmpty(profile))
            return "params.auth.trustedBrokerProfileId is malformed";
        if (!TryGetDevice(parameters, out ConnectDevice? device))
            return "params.device is malformed";

        request = new ConnectRequest
        {
            Id = id,
            MaxProtocol = maxProtocol,
            ClientId = clientId!,
            ClientMode = clientMode!,
            Platform = platform ?? "",
            DeviceFamily = deviceFamily ?? "",
            DisplayName = displayName,
            Role = role ?? DefaultRole,
            Scopes = scopes,
            SharedToken = sharedToken,
            SignedToken = signedToken,
            TrustedBrokerProfileId = profile,
            Device = device,
            CanWait = HasCapability(parameters, "device-pairing-wait"u8),
        };
        return null;
    }

    /// <summary>
    /// Whether a reader that ignores case could find other values than the gate, in the objects whose members the gate reads.
    /// </summary>
    private static bool HasLookAlike(JsonElement root)
    {
        if (ConnectMember.HasLookAlike(root))
            return true;
        if (!TryGetObject(root, ConnectMember.Params, out JsonElement? p) || p is not { } parameters)
            return false;
        return ConnectMember.HasLookAlike(parameters) || MemberHasOne(ConnectMember.Client) || MemberHasOne(ConnectMember.Auth) || MemberHasOne(ConnectMember.Device);

        bool MemberHasOne(ConnectMember name) => TryGetObject(parameters, name, out JsonElement? o) && o is { } member && ConnectMember.HasLookAlike(member);
    }

    private static bool TryGetScopes(JsonElement parameters, out List<string> scopes)
    {
        scopes = [];
        if (!parameters.TryGetProperty(ConnectMember.Scopes.Utf8, out JsonElement array))
            return true;
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() > DeviceClaim.MaxScopes)
            return false;
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || item.GetString() is not { } scope || !ScopeSet.IsValidName(scope))
                return false;
            scopes.Add(scope);
        }

        return true;
    }

    // Not one of ConnectMember's names: nothing is decided by it, and clients without the capability may have anything there.
    private static bool HasCapability(JsonElement parameters, ReadOnlySpan<byte> name)
    {
        if (!parameters.TryGetProperty("caps"u8, out JsonElement capabilities) || capabilities.ValueKind != JsonValueKind.Array)
            return false;
        foreach (JsonElement capability in capabilities.EnumerateArray())
        {
            if (capability.ValueKind == JsonValueKind.String && capability.ValueEquals(name))
                return true;
        }

        return false;
    }

    private static bool TryGetTokens(JsonElement parameters, out string? shared, out string signed, out string? profile)
    {
        (shared, signed, profile) = (null, "", null);
        if (!TryGetObject(parameters, ConnectMember.Auth, out JsonElement? a))
            return false;
        if (a is not { } auth)
            return true;
        if (!TryGetText(auth, ConnectMember.Token, out shared)
            || !TryGetText(auth, ConnectMember.DeviceToken, out string? device)
            || !TryGetText(auth, ConnectMember.BootstrapToken, out string? bootstrap)
            || !TryGetText(auth, ConnectMember.TrustedBrokerProfileId, out profile))
        {
            return false;
        }

        signed = shared ?? device ?? bootstrap ?? "";
        return true;
    }

    private static bool TryGetDevice(JsonElement parameters, out ConnectDevice? device)
    {
        device = null;
        if (!TryGetObject(parameters, ConnectMember.Device, out JsonElement? d))
            return false;
        if (d is not { } element)
            return true;
        if (!TryGetText(element, ConnectMember.Id, out string? id) || id is null
            || !TryGetText(element, ConnectMember.PublicKey, out string? publicKey) || publicKey is null
            || !TryGetText(element, ConnectMember.Signature, out string? signature) || signature is null
            || !TryGetText(element, ConnectMember.Nonce, out string? nonce)
            || !element.TryGetProperty(ConnectMember.SignedAt.Utf8, out JsonElement time)
            || time.ValueKind != JsonValueKind.Number || !time.TryGetInt64(out long signedAt))
        {
            return false;
        }

        device = new ConnectDevice(id, publicKey, signature, signedAt, nonce);
        return true;
    }

    /// <summary>True for a text of allowed length and for an absent member; false for any other type, including null.</summary>
    private static bool TryGetText(JsonElement element, ConnectMember name, out string? value)
    {
        value = null;
        if (!element.TryGetProperty(name.Utf8, out JsonElement member))
            return true;
        if (member.ValueKind != JsonValueKind.String)
            return false;
        value = member.GetString();
        return value!.Length <= MaxTextLength;
    }

    private static bool TryGetObject(JsonElement element, ConnectMember name, out JsonElement? value)
    {
        value = element.TryGetProperty(name.Utf8, out JsonElement member) ? member : null;
        return value is null or { ValueKind: JsonValueKind.Object };
    }

    private static bool TryGetProtocol(JsonElement parameters, ConnectMember name, out int version)
    {
        version = 0;
        return !parameters.TryGetProperty(name.Utf8, out JsonElement member)
            || (member.ValueKind == JsonValueKind.Number && member.TryGetInt32(out version));
    }

    private static bool IsSignableOrEmpty(string? text) => string.IsNullOrEmpty(text) || IsSignable(text);

    /// <summary>Whether a text may be in the signed payload, whose separators are not escaped.</summary>
    private static bool IsSignable(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return false;
        foreach (char c in text)
        {
            if (c is ',' or '|' || char.IsControl(c))
                return false;
        }

        return true;
    }
}
