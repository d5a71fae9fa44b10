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

    // The native program has a copy of this method for each of a hundred kinds of state: everything else is not generic.
    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter) => Write(
        textWriter,
        (logEntry.LogLevel, logEntry.EventId.Id, logEntry.Category),
        logEntry.Formatter(logEntry.State, logEntry.Exception),
        logEntry.State as IReadOnlyList<KeyValuePair<string, object?>>,
        logEntry.Exception);

    private static void Write(
        TextWriter textWriter,
        (LogLevel Level, int Id, string Category) log,
        string message,
        IReadOnlyList<KeyValuePair<string, object?>>? properties,
        Exception? exception)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Format))
        {
            json.WriteStartObject();
            json.WriteString("time", DateTimeOffset.UtcNow);
            json.WriteString("level", log.Level.ToString());
            json.WriteNumber("event", log.Id);
            json.WriteString("category", log.Category);
            json.WriteString("message", message);
            if (Activity.Current is { } span)
            {
                json.WriteString("traceId", span.TraceId.ToHexString());
                json.WriteString("spanId", span.SpanId.ToHexString());
            }

            if (properties is not null)
                WriteProperties(json, properties);
            if (exception is not null)
                json.WriteString("exception", exception.ToString());
            json.WriteEndObject();
        }

        textWriter.WriteLine(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private static void WriteProperties(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> properties)
    {
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
