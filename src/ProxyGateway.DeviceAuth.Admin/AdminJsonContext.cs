using System.Text.Json;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    Converters = [typeof(UtcTimeConverter)])]
[JsonSerializable(typeof(AdminProblem))]
[JsonSerializable(typeof(HealthView))]
[JsonSerializable(typeof(MeView))]
[JsonSerializable(typeof(RequestView))]
[JsonSerializable(typeof(DeviceView))]
[JsonSerializable(typeof(PageView<RequestView>))]
[JsonSerializable(typeof(PageView<DeviceView>))]
[JsonSerializable(typeof(PageView<AuditEntry>))]
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
[JsonSerializable(typeof(PageView<JsonElement>))]
[JsonSerializable(typeof(PageView<SessionView>))]
[JsonSerializable(typeof(ImportView))]
[JsonSerializable(typeof(ProofView))]
[JsonSerializable(typeof(WebhookBody))]
[JsonSerializable(typeof(RemovedByRuleView))]
[JsonSerializable(typeof(InvitationView))]
[JsonSerializable(typeof(PageView<InvitationView>))]
[JsonSerializable(typeof(OverviewReport))]
internal sealed partial class AdminJsonContext : JsonSerializerContext;
