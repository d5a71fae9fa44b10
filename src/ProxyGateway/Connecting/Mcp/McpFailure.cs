using System.Buffers;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>Why a message has no answer of the server's; the host gets it as a JSON-RPC error, since that is what it shows to people.</summary>
internal sealed class McpFailure : Exception
{
    // Outside the range that JSON-RPC and MCP reserve (-32768 to -32000).
    private const int RefusedCode = -31403;
    private const int NoAnswerCode = -31502;
    private const int InvalidRequestCode = -32600; // JSON-RPC 2.0 §5.1

    private McpFailure(int code, string message, GateProblem? problem = null)
        : base(message) => (Code, Problem) = (code, problem);

    public int Code { get; }

    /// <summary>The gateway's refusal, if it is one.</summary>
    public GateProblem? Problem { get; }

    /// <summary>The gateway refuses the device.</summary>
    public static McpFailure Refused(GateProblem problem, string fingerprint)
    {
        string what = PlainText.Of($"{problem.Title} {problem.Detail}".Trim());
        return new McpFailure(
            RefusedCode,
            problem.RequestId is { } request
                ? $"{what} (request {PlainText.Of(request)}; this device's fingerprint: {fingerprint}). Try again after that; nothing has to be restarted."
                : what,
            problem);
    }

    /// <summary>There is no answer, and there will be none.</summary>
    public static McpFailure NoAnswer(string message) => new(NoAnswerCode, message);

    /// <summary>The message itself cannot be forwarded.</summary>
    public static McpFailure Invalid(string message) => new(InvalidRequestCode, message);

    /// <summary>The JSON-RPC error.</summary>
    /// <param name="id">The id of the request, as JSON; null: unknown.</param>
    public ReadOnlyMemory<byte> ToJson(string? id)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WritePropertyName("id"u8);
        json.WriteRawValue(id ?? "null");
        json.WriteStartObject("error"u8);
        json.WriteNumber("code"u8, Code);
        json.WriteString("message"u8, Message);
        if (Problem is not null)
            WriteData(json, Problem);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static void WriteData(Utf8JsonWriter json, GateProblem problem)
    {
        json.WriteStartObject("data"u8);
        json.WriteString("code"u8, problem.Code);
        if (problem.RequestId is { } request)
            json.WriteString("requestId"u8, request);
        if (problem.Reason is { } reason)
            json.WriteString("reason"u8, reason);
        if (problem.IsRetryable is { } retryable)
            json.WriteBoolean("retryable"u8, retryable);
        json.WriteEndObject();
    }
}
