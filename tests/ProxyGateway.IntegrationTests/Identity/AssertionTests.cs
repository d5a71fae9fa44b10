using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Identity;

/// <summary>A backend that trusts no header verifies the gate's assertion: here by ASP.NET Core's own handler, from the gateway's own keys.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class AssertionTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly Dictionary<string, string> Assertion = new() { ["DeviceAssertion"] = "X-Device-Assertion" };

    private readonly string _folder = Directory.CreateTempSubdirectory("identity-").FullName;
    private readonly InMemoryDeviceStore _registry = new();
    private readonly List<IAsyncDisposable> _toDispose = [];

    private string Secret => Path.Combine(_folder, "secret");

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable each in Enumerable.Reverse(_toDispose))
            await each.DisposeAsync();
        await _registry.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_says_who_was_admitted(bool isUpgrade)
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(Assertion);
        await AnnouncedAsync(gateway, time);
        DateTimeOffset now = time.GetUtcNow();

        string assertion = (await IdentitySetting.SendAsync(gateway, "/own", isUpgrade, "X-Device-Assertion: forged"))["X-Device-Assertion"].ToString();

        (JsonElement header, JsonElement claims) = Decode(assertion);
        header.EnumerateObject().Select(p => p.Name).ShouldBe(["alg", "typ", "kid"]);
        (header.GetProperty("alg").GetString(), header.GetProperty("typ").GetString()).ShouldBe(("ES256", "device-assertion+jwt"));
        claims.EnumerateObject().Select(p => p.Name).ShouldBe(["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "role", "scope", "cnf", "client"]);
        claims.GetProperty("iss").GetString().ShouldBe("http://localhost");
        claims.GetProperty("aud").GetString().ShouldBe("mail");
        claims.GetProperty("sub").GetString().ShouldBe(AnyDevice.Claim.Device.ToString());
        long iat = claims.GetProperty("iat").GetInt64();
        iat.ShouldBe(now.ToUnixTimeSeconds());
        (claims.GetProperty("nbf").GetInt64(), claims.GetProperty("exp").GetInt64()).ShouldBe((iat, iat + 60));
        (claims.GetProperty("role").GetString(), claims.GetProperty("scope").GetString()).ShouldBe(("client", "agent.read agent.use"));
        claims.GetProperty("cnf").GetRawText().ShouldBe($$"""{"jkt":"{{DeviceKey.ThumbprintOf(AnyDevice.Claim.PublicKey)}}"}""");
        claims.GetProperty("client").GetRawText().ShouldBe("""{"id":"a-client","displayName":"A client"}""");
        claims.GetProperty("jti").GetString().ShouldNotBe(
            Decode((await IdentitySetting.SendAsync(gateway, "/own", isUpgrade))["X-Device-Assertion"].ToString()).Claims.GetProperty("jti").GetString());
    }

    [Fact]
    public async Task Its_session_is_the_one_that_operators_see()
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(Assertion);
        await AnnouncedAsync(gateway, time);
        string? sid = null;
        gateway.Backend.Http = context =>
        {
            sid = Decode(context.Request.Headers["X-Device-Assertion"].ToString()).Claims.GetProperty("sid").GetString();
            gateway.Sessions.List(AnyDevice.Claim.Device, after: 0, 10).ShouldHaveSingleItem().Number.ToString(System.Globalization.CultureInfo.InvariantCulture).ShouldBe(sid);
            return Task.CompletedTask;
        };
        using var http = new HttpClient();

        (await http.GetAsync(new Uri($"http://127.0.0.1:{gateway.Port}/own"))).StatusCode.ShouldBe(HttpStatusCode.OK);

        sid.ShouldNotBeNull();
    }

    [Fact]
    public async Task Its_issuer_is_the_gateways_first_public_origin()
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(Assertion);
        await AnnouncedAsync(gateway, time);

        gateway.Reload(("DeviceAuth:PublicOrigins:0", "https://gate.example.org"), ("DeviceAuth:PublicOrigins:1", "https://other.example.org"));

        Decode(await AssertionAsync(gateway)).Claims.GetProperty("iss").GetString().ShouldBe("https://gate.example.org");
    }

    [Fact]
    public async Task ASP_NET_Core_verifies_it_from_the_keys_of_any_gateway()
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(Assertion);
        (TestGateway other, _) = await StartAsync();
        await AnnouncedAsync(gateway, time);
        string assertion = await AssertionAsync(gateway);
        (string head, string body, string signature) = assertion.Split('.') is [var h, var b, var s] ? (h, b, s) : default;
        string forged = Base64(Encoding.UTF8.GetString(FromBase64(body)).Replace("agent.read", "agent.rule", StringComparison.Ordinal));
        WebApplication backend = await StartBackendAsync(other, "mail");

        (await GetAsync(backend, assertion)).ShouldBe((HttpStatusCode.OK, $"{AnyDevice.Claim.Device} client agent.read agent.use"));
        (await GetAsync(backend, $"{head}.{forged}.{signature}")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await GetAsync(backend, $"{Base64("""{"alg":"none","typ":"device-assertion+jwt"}""")}.{body}.")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await GetAsync(await StartBackendAsync(other, "default"), assertion)).Status.ShouldBe(HttpStatusCode.Unauthorized, "it is for another audience");
    }

    [Fact]
    public async Task A_stale_one_is_refused()
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(DateTimeOffset.UtcNow - TimeSpan.FromMinutes(3), Assertion);
        await AnnouncedAsync(gateway, time);

        (await GetAsync(await StartBackendAsync(gateway, "mail"), await AssertionAsync(gateway))).Status.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Before_the_key_was_announced_for_a_minute_nothing_is_forwarded()
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(Assertion);
        await JwksAsync(gateway, 1);

        (IHeaderDictionary? heard, string answer) = await IdentitySetting.TrySendAsync(gateway, "/own", isUpgrade: false);

        heard.ShouldBeNull();
        answer.ShouldStartWith("HTTP/1.1 503");
        answer.ShouldContain("Retry-After");
        gateway.Log.Of(1230).First().ShouldContain("no key of this gateway has been in the registry for 60 s");
        time.Advance(AssertionKeys.Notice);
        await HeardAsync(gateway);
    }

    [Fact]
    public async Task With_the_registry_away_the_keys_are_those_that_were_known()
    {
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(Assertion);
        string known = await JwksAsync(gateway, 1);
        (TestGateway ignorant, _) = await StartAsync();
        _registry.IsAvailable = false;
        time.Advance(TimeSpan.FromMinutes(1));
        using var http = new HttpClient();

        (await http.GetStringAsync(JwksOf(gateway))).ShouldBe(known);
        (await http.GetAsync(JwksOf(ignorant))).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task The_keys_are_public_and_nothing_else_is()
    {
        (TestGateway gateway, _) = await StartAsync(Assertion);

        using var json = JsonDocument.Parse(await JwksAsync(gateway, 1));
        using var http = new HttpClient();
        using HttpResponseMessage answer = await http.GetAsync(JwksOf(gateway));

        json.RootElement.GetProperty("keys")[0].EnumerateObject().Select(p => p.Name).ShouldBe(["kty", "crv", "x", "y", "use", "alg", "kid"]);
        answer.Content.Headers.ContentType?.MediaType.ShouldBe("application/jwk-set+json");
        (await http.PostAsync(JwksOf(gateway), content: null)).StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
    }

    // By the secret alone: the backend needs no keys of the gateway's.
    [Fact]
    public async Task With_a_secret_it_needs_no_key()
    {
        Write(new string('s', 32) + "\n");
        (TestGateway gateway, FakeTimeProvider time) = await StartAsync(new Dictionary<string, string>
        {
            ["DeviceAssertion"] = "Authorization",
            ["Algorithm"] = "HS256",
            ["SecretFile"] = Secret,
            ["Prefix"] = "Bearer ",
        });

        string value = (await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false, "Authorization: Bearer forged")).Authorization.ToString();

        value.ShouldStartWith("Bearer ");
        string[] parts = value["Bearer ".Length..].Split('.');
        Encoding.UTF8.GetString(FromBase64(parts[0])).ShouldBe("""{"alg":"HS256","typ":"device-assertion+jwt"}""");
        FromBase64(parts[2]).ShouldBe(HMACSHA256.HashData(Encoding.UTF8.GetBytes(new string('s', 32)), Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}")));
        File.Delete(Secret);
        time.Advance(SecretFile.Interval);
        (await IdentitySetting.TrySendAsync(gateway, "/own", isUpgrade: false)).Answer.ShouldStartWith("HTTP/1.1 503");
    }

    // Another route's clients may have credentials of their own there.
    [Fact]
    public async Task No_client_can_send_one_on_any_route_but_in_Authorization()
    {
        Write(new string('s', 32));
        (TestGateway gateway, _) = await StartAsync(
            Assertion,
            new Dictionary<string, string> { ["DeviceAssertion"] = "Authorization", ["Algorithm"] = "HS256", ["SecretFile"] = Secret });

        IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, "/open", isUpgrade: false, "x_device_assertion: forged", "X-Device-Assertion: forged", "Authorization: mine");

        heard.Keys.ShouldNotContain("x_device_assertion");
        heard.Keys.ShouldNotContain("X-Device-Assertion");
        heard.Authorization.ToString().ShouldBe("mine");
    }

    private static Uri JwksOf(TestGateway gateway) => new($"http://127.0.0.1:{gateway.Port}/.well-known/proxygateway/jwks.json");

    // The gateway is not asked before: what it has read it gives for some seconds of its clock, which stands still.
    private static async Task<string> JwksAsync(TestGateway gateway, int keys)
    {
        await InRegistryAsync(gateway, keys);
        using var http = new HttpClient();
        string text = await http.GetStringAsync(JwksOf(gateway));
        using var json = JsonDocument.Parse(text);
        json.RootElement.GetProperty("keys").GetArrayLength().ShouldBe(keys);
        return text;
    }

    private static async Task AnnouncedAsync(TestGateway gateway, FakeTimeProvider time)
    {
        await InRegistryAsync(gateway, keys: 1);
        time.Advance(AssertionKeys.Notice);
        await HeardAsync(gateway); // until the registry's next sign of life nobody is admitted, since a minute has passed at once
    }

    private static async Task InRegistryAsync(TestGateway gateway, int keys) => await Eventually.HoldsAsync(
        async () => (await gateway.Services.GetRequiredService<ISharedDocumentStore>().ListAsync(AssertionKeySet.Group, default)).Items.Count >= keys, "they are announced");

    private static async Task HeardAsync(TestGateway gateway) =>
        await Eventually.HoldsAsync(async () => (await IdentitySetting.TrySendAsync(gateway, "/own", isUpgrade: false)).Heard is not null, "it is forwarded");

    private static async Task<string> AssertionAsync(TestGateway gateway) =>
        (await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false))["X-Device-Assertion"].ToString();

    private static (JsonElement Header, JsonElement Claims) Decode(string assertion)
    {
        string[] parts = assertion.Split('.');
        parts.Length.ShouldBe(3, assertion);
        return (Parse(parts[0]), Parse(parts[1]));

        static JsonElement Parse(string part)
        {
            using var json = JsonDocument.Parse(FromBase64(part));
            return json.RootElement.Clone();
        }
    }

    private static byte[] FromBase64(string text) => System.Buffers.Text.Base64Url.DecodeFromChars(text);

    private static string Base64(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private static async Task<(HttpStatusCode Status, string Text)> GetAsync(WebApplication backend, string assertion)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", assertion);
        using HttpResponseMessage answer = await http.GetAsync(new Uri(backend.Urls.First()));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>What docs/identity.md has for ASP.NET Core.</summary>
    private async Task<WebApplication> StartBackendAsync(TestGateway gateway, string audience)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddAuthentication().AddJwtBearer(options =>
        {
            options.MapInboundClaims = false;
            options.ConfigurationManager = new ConfigurationManager<OpenIdConnectConfiguration>(
                JwksOf(gateway).ToString(), new JwksRetriever(), new HttpDocumentRetriever { RequireHttps = false });
            options.TokenValidationParameters = new TokenValidationParameters
            {
                ValidIssuer = "http://localhost",
                ValidAudience = audience,
                ValidTypes = ["device-assertion+jwt"],
                ValidAlgorithms = ["ES256"],
                ClockSkew = TimeSpan.FromSeconds(5),
            };
        });
        builder.Services.AddAuthorization();
        WebApplication app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapGet("/", (ClaimsPrincipal user) => $"{user.FindFirstValue("sub")} {user.FindFirstValue("role")} {user.FindFirstValue("scope")}").RequireAuthorization();
        await app.StartAsync();
        _toDispose.Add(app);
        return app;
    }

    private void Write(string secret)
    {
        File.WriteAllText(Secret, secret);
        File.SetUnixFileMode(Secret, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private Task<(TestGateway Gateway, FakeTimeProvider Time)> StartAsync(params Dictionary<string, string>[] transforms) =>
        StartAsync(DateTimeOffset.UtcNow - AssertionKeys.Notice, transforms);

    private async Task<(TestGateway Gateway, FakeTimeProvider Time)> StartAsync(DateTimeOffset now, params Dictionary<string, string>[] transforms)
    {
        var time = new FakeTimeProvider(now);
        TestGateway gateway = await IdentitySetting.StartAsync(transforms, time: time, store: _registry);
        _toDispose.Add(gateway);
        return (gateway, time);
    }

    private sealed class JwksRetriever : IConfigurationRetriever<OpenIdConnectConfiguration>
    {
        public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(string address, IDocumentRetriever retriever, CancellationToken cancel)
        {
            var configuration = new OpenIdConnectConfiguration();
            foreach (SecurityKey key in JsonWebKeySet.Create(await retriever.GetDocumentAsync(address, cancel)).GetSigningKeys())
                configuration.SigningKeys.Add(key);
            return configuration;
        }
    }
}
