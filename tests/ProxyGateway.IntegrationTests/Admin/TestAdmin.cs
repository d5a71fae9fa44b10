using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Health;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>The operators' endpoints in a real Kestrel, with a registry in a file, and three operators.</summary>
internal sealed class TestAdmin : IAsyncDisposable
{
    public const string Approver = "approver-key-approver-key-approver-key";
    public const string Viewer = "viewer-key-viewer-key-viewer-key-viewer";
    public const string Limited = "limited-key-limited-key-limited-key-lim";

    private readonly WebApplication _app;
    private readonly IDeviceStore _store;
    private readonly DirectoryInfo _folder;

    private TestAdmin(WebApplication app, IDeviceStore store, DirectoryInfo folder)
    {
        _app = app;
        _store = store;
        _folder = folder;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public HttpClient Client { get; }

    public string RegistryPath => RegistryIn(_folder);

    public DeviceRegistry Registry => _app.Services.GetRequiredService<DeviceRegistry>();

    public ICopyableDeviceStore Store => (ICopyableDeviceStore)_store;

    public SessionTable Sessions => _app.Services.GetRequiredService<SessionTable>();

    public IServiceProvider Services => _app.Services;

    public IReadOnlyList<Endpoint> Endpoints => [.. ((IEndpointRouteBuilder)_app).DataSources.SelectMany(s => s.Endpoints)];

    public static async Task<TestAdmin> StartAsync(
        IDeviceStore? store = null, AdminKeyRing? keys = null, Action<IServiceCollection>? configure = null)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("admin-");
        store ??= SqliteDeviceStore.Open(new SqliteStoreOptions { Path = RegistryIn(folder) }, TimeProvider.System);
        var options = new AdminOptions
        {
            Keys =
            [
                Key("ops", Approver, AdminRole.Approver),
                Key("eve", Viewer, AdminRole.Viewer),
                Key("lim", Limited, AdminRole.Approver) with
                {
                    UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.read")),
                },
            ],
        };

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(store);
        if (store is IAuditStore audit)
            builder.Services.AddSingleton(audit);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(s => new AuditLog(
            s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<GateTelemetry>(),
            s.GetRequiredService<ILogger<AuditLog>>(),
            s.GetService<IAuditStore>(),
            s.GetServices<IAuditListener>(),
            s.GetRequiredService<OverviewRing>()));
        builder.Services.AddSingleton<OverviewRing>();
        builder.Services.AddSingleton(new OverviewDocuments(TimeProvider.System, store as ISharedDocumentStore));
        builder.Services.AddSingleton<IGateOverview, GateOverview>();
        builder.Services.AddHostedService(s => s.GetRequiredService<AuditLog>());
        builder.Services.AddSingleton(s => new DeviceRegistry(store, s.GetRequiredService<AuditLog>(), s.GetRequiredService<ILogger<DeviceRegistry>>()));
        builder.Services.AddSingleton<DeviceFleet>();
        builder.Services.AddSingleton(s => new Invitations(s.GetRequiredService<DeviceRegistry>(), store as ISharedDocumentStore, s.GetRequiredService<AuditLog>()));
        builder.Services.AddSingleton<IDeviceAssertionKeys>(new AssertionKeySet(store as ISharedDocumentStore ?? new ProcessDocuments(TimeProvider.System), TimeProvider.System));
        builder.Services.AddSingleton<SessionTable>();
        builder.Services.AddSingleton<Draining>();
        builder.Services.AddSingleton(new RegistryFreshness(new FreshnessOptions(), TimeProvider.System));
        builder.Services.AddSingleton<IDeviceAuthSettings>(new Settings());
        builder.Services.AddSingleton<IDeviceConnections, DeviceConnections>();
        builder.Services.AddSingleton<RegistryProbe>();
        builder.Services.AddSingleton<IGateReadiness, GateReadiness>();
        builder.Services.AddDeviceAdmin(options, keys ?? AdminKeyRing.Load(options, folder.FullName));
        configure?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        app.UseDeviceAdmin();
        app.MapDeviceAdmin();
        await app.StartAsync();
        return new TestAdmin(app, store, folder);
    }

    /// <summary>A device asks for something, and has to wait.</summary>
    public async Task<PairingRequest> AskAsync(DeviceClaim claim)
    {
        Admission admission = await Registry.AdmitAsync(claim, Some.Origin, Some.Rules, default);
        return admission.ShouldBeOfType<Admission.Refused>().Request;
    }

    /// <summary>A device asks for something, and gets it.</summary>
    public async Task<DeviceId> PairAsync(DeviceClaim claim)
    {
        PairingRequest request = await AskAsync(claim);
        (await Registry.ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, default))!.Outcome.ShouldBe(DecisionOutcome.Done);
        return claim.Device;
    }

    public async Task<Answer> SendAsync(HttpMethod method, string path, string? key = Approver, string? json = null, Action<HttpRequestMessage>? configure = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        configure?.Invoke(request);
        using HttpResponseMessage response = await Client.SendAsync(request);
        byte[] body = await response.Content.ReadAsByteArrayAsync();
        return new Answer(
            (int)response.StatusCode,
            response.Content.Headers.ContentType?.MediaType,
            response.Headers.ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase),
            body.Length == 0 || response.Content.Headers.ContentType?.MediaType?.Contains("json") != true ? default : JsonDocument.Parse(body).RootElement,
            Encoding.UTF8.GetString(body));
    }

    public Task StopAsync() => _app.StopAsync();

    public Task<Answer> GetAsync(string path, string? key = Approver) => SendAsync(HttpMethod.Get, path, key);

    public Task<Answer> PostAsync(string path, string? key = Approver, string? json = null) => SendAsync(HttpMethod.Post, path, key, json);

    public Task<Answer> DeleteAsync(string path, string? key = Approver) => SendAsync(HttpMethod.Delete, path, key);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static string RegistryIn(DirectoryInfo folder) => Path.Combine(folder.FullName, "registry.db");

    public static AdminKeyOptions Key(string name, string key, AdminRole role) =>
        new() { Name = name, Sha256 = [.. SHA256.HashData(Encoding.UTF8.GetBytes(key))], Role = role };

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current { get; } = new() { Policy = Some.Rules.Policy };
    }
}

/// <summary>What came back.</summary>
internal sealed record Answer(int Status, string? MediaType, IReadOnlyDictionary<string, string> Headers, JsonElement Json, string Text)
{
    public string[] Members => [.. Json.EnumerateObject().Select(m => m.Name)];

    /// <summary>It is the problem with that name and status, as RFC 9457 has it.</summary>
    public void ShouldBeProblem(int status, string name)
    {
        Status.ShouldBe(status, Text);
        MediaType.ShouldBe("application/problem+json");
        Json.GetProperty("type").GetString().ShouldBe("urn:proxygateway:problem:" + name);
        Json.GetProperty("status").GetInt32().ShouldBe(status);
        Json.GetProperty("title").GetString().ShouldNotBeNullOrEmpty();
    }
}
