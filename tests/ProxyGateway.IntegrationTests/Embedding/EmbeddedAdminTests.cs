using System.Net;
using System.Net.Http.Json;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>The operators' endpoints inside an application that has users and policies of its own.</summary>
public sealed class EmbeddedAdminTests : IAsyncLifetime
{
    private static readonly HttpClient Http = new();

    private readonly string _folder = Directory.CreateTempSubdirectory("embedded-").FullName;
    private WebApplication _app = null!;

    private DeviceRegistry Registry => _app.Services.GetRequiredService<DeviceRegistry>();

    public Task InitializeAsync() => StartAsync(services => services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") }));

    public async Task DisposeAsync()
    {
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("GET", "/ops/requests")]
    [InlineData("GET", "/ops/devices")]
    [InlineData("GET", "/ops/sessions")]
    [InlineData("GET", "/ops/audit")]
    [InlineData("GET", "/ops/events")]
    [InlineData("POST", "/ops/devices/import")]
    [InlineData("POST", "/ops/devices/remove-by-rule")]
    [InlineData("POST", "/ops/requests/x/approve")]
    public async Task The_applications_policies_decide_who_is_an_operator(string method, string path)
    {
        (await SendAsync(method, path)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await SendAsync(method, path, user: "mallory", role: "guest")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        if (method == "POST")
            (await SendAsync(method, path, user: "eve", role: "reader")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        else if (path != "/ops/events")
            (await SendAsync(method, path, user: "eve", role: "reader")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_group_that_allows_anonymous_access_does_not_open_the_endpoints()
    {
        await _app.DisposeAsync();
        await StartAsync(
            services => services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") }),
            app => app.MapGroup("/ops").AllowAnonymous());

        (await SendAsync("GET", "/ops/devices")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await SendAsync("POST", "/ops/devices/remove-by-rule", user: "eve", role: "reader")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task The_audit_names_the_user_who_decided_as_the_operator()
    {
        PairingRequest request = await AskAsync();

        HttpResponseMessage answer = await SendAsync("POST", $"/ops/requests/{request.Id}/approve", "ada@example.org", "boss");

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        (await Registry.FindAsync(request.DeviceId, default))!.IsPaired.ShouldBeTrue();
        IAuditStore audit = _app.Services.GetRequiredService<IAuditStore>();
        await Eventually.HoldsAsync(
            async () => (await audit.ListAsync(new AuditFilter(), before: null, limit: 10, default)).Items.Any(e => e.Operator == "ada@example.org"),
            "the audit names the user");
    }

    [Fact]
    public async Task A_user_without_a_name_decides_nothing()
    {
        PairingRequest request = await AskAsync();

        HttpResponseMessage answer = await SendAsync("POST", $"/ops/requests/{request.Id}/approve", user: " ", role: "boss");

        await ShouldBeAsync(answer, HttpStatusCode.Forbidden, "nameless-operator");
        (await Registry.FindAsync(request.DeviceId, default))?.IsPaired.ShouldBe(false);
    }

    [Fact]
    public async Task A_page_of_another_origin_cannot_use_the_users_cookie()
    {
        PairingRequest request = await AskAsync();

        HttpResponseMessage answer = await SendAsync("POST", $"/ops/requests/{request.Id}/approve", "ada", "boss", origin: "https://evil.example");

        await ShouldBeAsync(answer, HttpStatusCode.Forbidden, "origin-refused");
        (await Registry.FindAsync(request.DeviceId, default))?.IsPaired.ShouldBe(false);
    }

    [Fact]
    public async Task Errors_of_embedded_endpoints_are_problem_details()
    {
        await ShouldBeAsync(await SendAsync("GET", "/ops/devices/nobody", "eve", "reader"), HttpStatusCode.NotFound, "device-not-found");
        await ShouldBeAsync(await SendAsync("POST", "/ops/devices/import", "ada", "boss"), HttpStatusCode.BadRequest, "invalid-request");
    }

    [Fact]
    public async Task An_unavailable_registry_is_answered_with_a_problem()
    {
        await _app.DisposeAsync();
        await StartAsync(services => services.AddSingleton<IDeviceStore>(new FailingStore(() => new RegistryUnavailableException("away"))));

        HttpResponseMessage answer = await SendAsync("GET", "/ops/devices", "eve", "reader");

        await ShouldBeAsync(answer, HttpStatusCode.ServiceUnavailable, "registry-unavailable");
        answer.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Endpoints_without_a_policy_are_not_mapped()
    {
        Should.Throw<ArgumentException>(() => _app.MapDeviceAdmin("", "decide"));
        Should.Throw<ArgumentException>(() => _app.MapDeviceAdmin("read", " "));
    }

    private async Task StartAsync(Action<IServiceCollection> store, Func<WebApplication, RouteGroupBuilder>? group = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddDeviceAuthorization(builder.Configuration);
        builder.Services.AddReverseProxy();
        store(builder.Services);
        builder.Services.AddAdminEndpoints();
        builder.Services.AddAuthentication("own").AddScheme<AuthenticationSchemeOptions, OwnUsers>("own", configureOptions: null);
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy("read", policy => policy.RequireRole("reader", "boss"))
            .AddPolicy("decide", policy => policy.RequireRole("boss"));
        _app = builder.Build();
        _app.UseAuthentication();
        _app.UseAuthorization();
        (group?.Invoke(_app) ?? _app.MapGroup("/ops")).MapDeviceAdmin("read", "decide");
        await _app.StartAsync();
    }

    private async Task<PairingRequest> AskAsync()
    {
        Admission admission = await Registry.AdmitAsync(Some.Claim("operator", "operator.read"), Some.Origin, Some.Rules, default);
        return admission.ShouldBeOfType<Admission.Refused>().Request;
    }

    private async Task<HttpResponseMessage> SendAsync(string method, string path, string? user = null, string? role = null, string? origin = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), _app.Urls.First() + path);
        if (user is not null)
            request.Headers.Add("X-User", user);
        if (role is not null)
            request.Headers.Add("X-Role", role);
        if (origin is not null)
            request.Headers.Add("Origin", origin);
        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static async Task ShouldBeAsync(HttpResponseMessage answer, HttpStatusCode status, string problem)
    {
        answer.StatusCode.ShouldBe(status);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        JsonElement body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        body.GetProperty("type").GetString().ShouldBe("urn:proxygateway:problem:" + problem);
    }

    /// <summary>Believes a header, as tests may.</summary>
    private sealed class OwnUsers(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (!Request.Headers.TryGetValue("X-User", out var user))
                return Task.FromResult(AuthenticateResult.NoResult());
            var identity = new ClaimsIdentity([new(ClaimTypes.Name, $"{user}"), new(ClaimTypes.Role, $"{Request.Headers["X-Role"]}")], Scheme.Name);
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name)));
        }
    }
}
