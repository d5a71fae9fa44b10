using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>The operators' listener of an application that is not the program.</summary>
public sealed class AdminListenerTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    private readonly string _folder = Directory.CreateTempSubdirectory("listener-").FullName;
    private readonly CapturedLog _log = new();
    private WebApplication? _app;

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Operators_have_a_separate_listener_and_a_generated_key()
    {
        await using TestBackend backend = await TestBackend.StartAsync();
        await StartAsync(backend);
        var operators = new Uri(_log.Of(310).ShouldHaveSingleItem()["Operators are served on ".Length..]);
        string key = (await File.ReadAllTextAsync(Path.Combine(_folder, "admin.key"))).Trim();
        var device = new TestDevice();
        Outcome connected = await TestClient.ConnectAsync(new Uri(_app!.Urls.First()).Port, device);
        connected.ShouldBeAdmitted();
        await using FrameConnection client = connected.Client; // which nobody else holds, and then its session may end

        (await Http.GetAsync(new Uri(operators, "/admin/v1/devices"))).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        JsonElement devices = await GetAsync(new Uri(operators, "/admin/v1/devices"), key);
        devices.GetProperty("items")[0].GetProperty("id").GetString().ShouldBe(device.Id.ToString());
        JsonElement sessions = await GetAsync(new Uri(operators, "/admin/v1/sessions"), key);
        sessions.GetProperty("items")[0].GetProperty("deviceId").GetString().ShouldBe(device.Id.ToString());
        (await Http.GetStringAsync(new Uri(operators, "/readyz"))).ShouldBe("ok");
        (await Http.GetStringAsync(operators)).ShouldContain("<html");

        // The data port has nothing of all this.
        (await Http.GetAsync(new Uri(new Uri(_app.Urls.First()), "/admin/v1/devices"))).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task An_invalid_section_is_refused_at_once_with_all_its_errors()
    {
        InvalidConfigurationException refused = await Should.ThrowAsync<InvalidConfigurationException>(
            () => StartAsync(backend: null, ("Admin:Url", "http://203.0.113.1:1"), ("Admin:Kez", "x")));

        refused.Message.ShouldContain("Admin:Url");
        refused.Message.ShouldContain("Admin:Kez");
    }

    private static async Task<JsonElement> GetAsync(Uri url, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage answer = await Http.SendAsync(request);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private async Task StartAsync(TestBackend? backend, params (string Key, string Value)[] settings)
    {
        _app = EmbeddedApplication.Build(
            backend?.Address ?? "http://127.0.0.1:1",
            builder =>
            {
                builder.Logging.AddProvider(_log);
                builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
                {
                    ["Admin:Url"] = "http://127.0.0.1:0",
                    ["Admin:KeyFile"] = "admin.key",
                    ["Admin:Socket"] = "",
                });
                builder.Configuration.AddInMemoryCollection(settings.ToDictionary(s => s.Key, s => (string?)s.Value));
                builder.Services.AddDeviceAuthorization(builder.Configuration)
                    .AddSqliteStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") })
                    .AddAdminListener(builder.Configuration);
            },
            contentRoot: _folder);
        await _app.StartAsync();
    }
}
