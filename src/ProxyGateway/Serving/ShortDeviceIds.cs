using OpenTelemetry;
using OpenTelemetry.Logs;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Serving;

/// <summary>Adds the short id of a device to log lines that have the whole one, as spans have it.</summary>
internal sealed class ShortDeviceIds : BaseProcessor<LogRecord>
{
    /// <summary>The short id in log lines and spans.</summary>
    public const string Name = "proxygateway.device";

    /// <summary>The short form of an id.</summary>
    public static string Of(DeviceId device) => device.ToString()[..DeviceId.FingerprintDigits];

    /// <inheritdoc/>
    public override void OnEnd(LogRecord data)
    {
        if (data.Attributes is not { } attributes)
            return;
        foreach (KeyValuePair<string, object?> attribute in attributes)
        {
            if (attribute.Value is not DeviceId device)
                continue;
            data.Attributes = [.. attributes.Select(a => a.Value is DeviceId whole ? new(a.Key, whole.ToString()) : a), new(Name, Of(device))];
            return;
        }
    }
}
