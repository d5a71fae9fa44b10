using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Sends an answer: as RFC 9457 has it, or to a browser's WebSocket as a close frame.</summary>
internal static class ProofResponse
{
    private const string TypePrefix = "urn:proxygateway:problem:";

    /// <summary>Answers a request that is not forwarded.</summary>
    /// <param name="http">The request.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="scheme">The scheme of a challenge.</param>
    public static async Task WriteAsync(HttpContext http, ProofAnswer answer, string scheme)
    {
        HttpResponse response = http.Response;
        response.StatusCode = answer.Status;
        response.ContentType = "application/problem+json";
        response.Headers.CacheControl = "no-store";
        if (answer.Challenge is not null)
            response.Headers.WWWAuthenticate = $"{scheme} {answer.Challenge}";
        if (answer.RetryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        byte[] body = BodyOf(answer);
        response.ContentLength = body.Length;
        try
        {
            await response.Body.WriteAsync(body, http.RequestAborted);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client has left.
        }
    }

    /// <summary>
    /// Completes a browser's upgrade and closes it with the reason: a page reads no answer to an upgrade, but for its close frame. The backend does not hear of it.
    /// </summary>
    /// <param name="http">The upgrade.</param>
    /// <param name="closing">The close code and reason.</param>
    /// <param name="time">The clock for grace periods.</param>
    public static async Task CloseAsync(HttpContext http, Closing closing, TimeProvider time)
    {
        IHeaderDictionary headers = http.Response.Headers;
        headers["Sec-WebSocket-Protocol"] = ProofNames.Subprotocol;
        Stream client;
        if (http.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            client = await connect.AcceptAsync();
        }
        else
        {
            headers.Connection = "Upgrade";
            headers.Upgrade = "websocket";
            headers["Sec-WebSocket-Accept"] = WebSocketUpgrade.AcceptOf(http.Request);
            client = await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        }

        var pipe = new SessionPipe(http, client, time);
        pipe.Close(closing);
        await pipe.FinishAsync(isStranger: true);
    }

    private static byte[] BodyOf(ProofAnswer answer)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, TypePrefix + answer.Code.Replace('_', '-'));
            json.WriteString("title"u8, answer.Title);
            json.WriteNumber("status"u8, answer.Status);
            json.WriteString("detail"u8, answer.Detail);
            json.WriteString("code"u8, answer.Code);
            json.WriteOptional("claim"u8, answer.Claim);
            json.WriteOptional("expectedHtu"u8, answer.ExpectedHtu);
            if (answer.ClockOffset is { } offset)
                json.WriteNumber("clockOffsetSeconds"u8, offset);
            json.WriteOptional("deviceId"u8, answer.DeviceId);
            json.WriteOptional("requestId"u8, answer.RequestId);
            json.WriteOptional("reason"u8, answer.Reason);
            if (answer.IsRetryable is { } isRetryable)
                json.WriteBoolean("retryable"u8, isRetryable);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
