using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A client on a bare socket.</summary>
internal static class TestClient
{
    /// <summary>Sends an upgrade request and gives back the raw answer, with the stream after it.</summary>
    public static async Task<(int Status, string Head, Stream Stream)> RequestAsync(
        int port, string path = "/", string? host = null, string[]? headers = null, string? requestLine = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var stream = new NetworkStream(socket, ownsSocket: true);
        (int status, string head) = await RequestAsync(stream, host ?? $"127.0.0.1:{port}", path, headers, requestLine);
        return (status, head, stream);
    }

    /// <summary>Sends an upgrade request over any stream and gives back the raw answer.</summary>
    public static async Task<(int Status, string Head)> RequestAsync(
        Stream stream, string host, string path = "/", string[]? headers = null, string? requestLine = null)
    {
        string key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));
        string[] upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", $"Sec-WebSocket-Key: {key}"];

        // A header that a test gives itself takes the place of the usual one; one that it gives without a value leaves it out.
        IEnumerable<string> given = headers ?? [];
        string[] names = [.. given.Select(h => h.Split(':')[0].ToUpperInvariant())];
        IEnumerable<string> lines =
        [
            requestLine ?? $"GET {path} HTTP/1.1",
            $"Host: {host}",
            .. upgrade.Where(h => !names.Contains(h.Split(':')[0].ToUpperInvariant())),
            .. given.Where(h => !h.EndsWith(':')),
            "",
            "",
        ];
        await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Join("\r\n", lines)));

        var head = new StringBuilder();
        byte[] one = new byte[1];
        using var timeout = new CancellationTokenSource(Eventually.Patience);
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, timeout.Token) == 1)
        {
            head.Append((char)one[0]);
        }

        string text = head.ToString();
        return (text.Length > 12 ? int.Parse(text.AsSpan(9, 3)) : 0, text);
    }

    /// <summary>Upgrades, or fails the test.</summary>
    public static async Task<FrameConnection> OpenAsync(int port, string path = "/", string? host = null, params string[] headers)
    {
        (int status, string head, Stream stream) = await RequestAsync(port, path, host, headers);
        status.ShouldBe(101, head);
        return new FrameConnection(stream, masks: true);
    }

    /// <summary>Opens, waits for the challenge and sends the ask.</summary>
    public static async Task<FrameConnection> AskAsync(int port, TestDevice device, Ask? ask = null, string? host = null, params string[] headers)
    {
        FrameConnection client = await OpenAsync(port, "/", host, headers);
        JsonElement challenge = await client.ReceiveJsonAsync();
        challenge.GetProperty("event").GetString().ShouldBe("connect.challenge");
        ask ??= new Ask { Nonce = challenge.GetProperty("payload").GetProperty("nonce").GetString()! };
        await client.SendTextAsync(ask.SignedBy(device));
        return client;
    }

    /// <summary>The whole handshake, and how it ended.</summary>
    public static async Task<Outcome> ConnectAsync(int port, TestDevice device, Ask? ask = null, string? host = null, params string[] headers)
    {
        FrameConnection client = await AskAsync(port, device, ask, host, headers);
        return await OutcomeAsync(client);
    }

    /// <summary>The answer to the ask that was sent, and the close frame if it is a refusal.</summary>
    public static async Task<Outcome> OutcomeAsync(FrameConnection client)
    {
        JsonElement? answer = null;
        while (await client.ReceiveAsync() is { } frame)
        {
            if (frame.Opcode == Opcode.Text)
            {
                answer = frame.Json;
                if (answer.Value.TryGetProperty("ok", out JsonElement ok) && ok.GetBoolean())
                    return new Outcome(client, answer, Close: null);
            }
            else if (frame.Opcode == Opcode.Close)
            {
                await client.SendAsync(Opcode.Close, frame.Payload);
                (await client.ReceiveToEndAsync()).ShouldBeEmpty("Nothing follows a close frame.");
                return new Outcome(client, answer, frame);
            }
        }

        return new Outcome(client, answer, Close: null);
    }
}

/// <summary>How a handshake ended.</summary>
internal sealed record Outcome(FrameConnection Client, JsonElement? Answer, Frame? Close)
{
    public bool IsAdmitted => Answer is { } answer && answer.GetProperty("ok").GetBoolean();

    public JsonElement Error => Answer!.Value.GetProperty("error");

    public JsonElement Details => Error.GetProperty("details");

    public string RequestId => Details.GetProperty("requestId").GetString()!;

    public void ShouldBeAdmitted() => IsAdmitted.ShouldBeTrue($"{Answer} {Close?.CloseCode} {Close?.CloseReason}");

    /// <summary>Refused with this close code and reason, and after an answer that agrees with it.</summary>
    public void ShouldBeClosed(int code, string reason)
    {
        IsAdmitted.ShouldBeFalse();
        Close.ShouldNotBeNull();
        Close.CloseReason.ShouldStartWith(reason);
        Close.CloseCode.ShouldBe(code);
        Close.Payload.Length.ShouldBeLessThanOrEqualTo(125);
    }

    /// <summary>Refused until an operator approves, with everything that the real client looks at.</summary>
    public void ShouldRequirePairing(string reason)
    {
        ShouldBeClosed(1008, "pairing required: ");
        Close!.CloseReason.ShouldEndWith($"(requestId: {RequestId})");
        Error.GetProperty("code").GetString().ShouldBe("NOT_PAIRED");
        Error.GetProperty("message").GetString().ShouldStartWith("pairing required: ");
        Details.GetProperty("code").GetString().ShouldBe("PAIRING_REQUIRED");
        Details.GetProperty("reason").GetString().ShouldBe(reason);
        Details.GetProperty("recommendedNextStep").GetString().ShouldBe("wait_then_retry");
        Details.GetProperty("pauseReconnect").GetBoolean().ShouldBeFalse();
        Details.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        Details.GetProperty("remediationHint").GetString()!.ShouldContain($"proxygateway requests approve {RequestId}");
    }
}
