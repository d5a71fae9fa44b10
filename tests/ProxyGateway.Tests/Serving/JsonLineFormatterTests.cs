using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Serving;

namespace ProxyGateway.Tests.Serving;

public sealed class JsonLineFormatterTests
{
    [Fact]
    public void A_line_has_the_trace_and_the_id_of_the_device_short_and_whole()
    {
        DeviceId device = Some.Claim().Device;
        using Activity span = new Activity("request").Start();

        string line = Write([new("Device", device), new("Count", 3), new("Address", null), new("{OriginalFormat}", "Admitted {Device}")], $"Admitted {device} \"\n");

        line.TrimEnd().ShouldNotContain("\n");
        JsonElement json = JsonDocument.Parse(line).RootElement;
        json.GetProperty("event").GetInt32().ShouldBe(1001);
        json.GetProperty("level").GetString().ShouldBe("Information");
        json.GetProperty("traceId").GetString().ShouldBe(span.TraceId.ToHexString());
        json.GetProperty("spanId").GetString().ShouldBe(span.SpanId.ToHexString());
        json.GetProperty("message").GetString().ShouldBe($"Admitted {device} \"\n");
        JsonElement properties = json.GetProperty("properties");
        properties.GetProperty("Device").GetString().ShouldBe(device.ToString());
        properties.GetProperty("proxygateway.device").GetString().ShouldBe(device.ToString()[..20]);
        properties.GetProperty("Count").GetInt32().ShouldBe(3);
        properties.EnumerateObject().Count().ShouldBe(4);
    }

    private static string Write(KeyValuePair<string, object?>[] state, string message)
    {
        using var text = new StringWriter();
        new JsonLineFormatter().Write(
            new LogEntry<IReadOnlyList<KeyValuePair<string, object?>>>(LogLevel.Information, "Category", new EventId(1001), state, exception: null, (_, _) => message), scopeProvider: null, text);
        return text.ToString();
    }
}
