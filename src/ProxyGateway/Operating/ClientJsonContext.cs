using System.Text.Json.Serialization;
using ProxyGateway.Operating.Importing;

namespace ProxyGateway.Operating;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true)]
[JsonSerializable(typeof(ExportedDevices))]
[JsonSerializable(typeof(RemovedDevice))]
[JsonSerializable(typeof(ProblemAnswer))]
[JsonSerializable(typeof(EndedSession))]
[JsonSerializable(typeof(WithdrawnInvitation))]
[JsonSerializable(typeof(CopiedRegistry))]
[JsonSerializable(typeof(ImportReport))]
internal sealed partial class ClientJsonContext : JsonSerializerContext;
