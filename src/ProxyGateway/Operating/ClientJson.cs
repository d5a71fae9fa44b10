using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Operating.Importing;

namespace ProxyGateway.Operating;

/// <summary>What <c>devices remove --json</c> prints.</summary>
internal sealed record RemovedDevice(string Id, bool Removed);

/// <summary>What <c>devices export</c> prints, and <c>devices import</c> takes.</summary>
internal sealed record ExportedDevices(IReadOnlyList<ExportedDevice> Devices);

/// <summary>A device that goes elsewhere: what is approved for it, and nothing that is this gateway's own.</summary>
internal sealed record ExportedDevice(
    string Id, string PublicKey, IReadOnlyDictionary<string, ImportGrantBody> Grants, bool? Legacy, string? Label, ClientDescription Client);

/// <summary>What <c>registry copy --json</c> prints.</summary>
internal sealed record CopiedRegistry(int Devices, int Paired, int Refused, int Requests);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(ExportedDevices))]
[JsonSerializable(typeof(RemovedDevice))]
[JsonSerializable(typeof(CopiedRegistry))]
[JsonSerializable(typeof(ImportReport))]
internal sealed partial class ClientJsonContext : JsonSerializerContext;

/// <summary>JSON for scripts, on the standard output.</summary>
internal static class JsonOutput
{
    /// <summary>What the endpoints send, indented.</summary>
    public static AdminJsonContext Admin { get; } = new(new JsonSerializerOptions(AdminJsonContext.Default.Options) { WriteIndented = true });

    public static void Write<T>(T value, JsonTypeInfo<T> type) => Console.Out.WriteLine(JsonSerializer.Serialize(value, type));
}
