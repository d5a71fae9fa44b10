using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Serving;

/// <summary>
/// Log lines as JSON, one object on each, with the trace in which they were written: <c>Logging:Console:FormatterName=gateway-json</c>. Unlike the framework's
/// formatter it needs no scopes for the trace, which would also bring what clients write, and it has a device's id short and whole.
/// </summary>
internal sealed class JsonLineFormatter() : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "gateway-json";

    private const string Template = "{OriginalFormat}";

    // For terminals and files, not for pages: only what JSON itself needs is escaped, and control characters are.
    private static readonly JsonWriterOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        string message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Format))
        {
            json.WriteStartObject();
            json.WriteString("time", DateTimeOffset.UtcNow);
            json.WriteString("level", logEntry.LogLevel.ToString());
            json.WriteNumber("event", logEntry.EventId.Id);
            json.WriteString("category", logEntry.Category);
            json.WriteString("message", message);
            if (Activity.Current is { } span)
            {
                json.WriteString("traceId", span.TraceId.ToHexString());
                json.WriteString("spanId", span.SpanId.ToHexString());
            }

            WriteState(json, logEntry.State);
            if (logEntry.Exception is { } exception)
                json.WriteString("exception", exception.ToString());
            json.WriteEndObject();
        }

        textWriter.WriteLine(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private static void WriteState<TState>(Utf8JsonWriter json, TState state)
    {
        if (state is not IReadOnlyList<KeyValuePair<string, object?>> properties)
            return;
        json.WriteStartObject("properties");
        DeviceId? device = null;
        foreach ((string name, object? value) in properties)
        {
            if (name == Template)
                continue;
            switch (value)
            {
                case null:
                    json.WriteNull(name);
                    break;
                case int or long or short or byte or ushort or uint:
                    json.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                    break;
                case bool flag:
                    json.WriteBoolean(name, flag);
                    break;
                default:
                    device ??= value as DeviceId?;
                    json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                    break;
            }
        }

        if (device is { } known)
            json.WriteString(ShortDeviceIds.Name, ShortDeviceIds.Of(known));
        json.WriteEndObject();
    }
}
