using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>
/// The program with <c>config/openclaw-control-ui.json</c>, and nothing changed but addresses and the certificate's files, before a backend that
/// would answer everything. The interop tests have the real one, and the page itself.
/// </summary>
public sealed class ControlUiTests(ControlUiTests.Fixture shared) : IClassFixture<ControlUiTests.Fixture>
{
    [Theory]
    [InlineData("/", "/")]
    [InlineData("/assets/index-DsEuFQRE.js", "/assets/index-DsEuFQRE.js")]
    [InlineData("/fonts/instrument-sans.css?v=1", "/fonts/instrument-sans.css?v=1")]
    [InlineData("/themes/dash.css", "/themes/dash.css")]
    [InlineData("/file-icons/compact/dark/a.svg", "/file-icons/compact/dark/a.svg")]
    [InlineData("/favicon.ico", "/favicon.ico")]
    [InlineData("/favicon-32.png", "/favicon-32.png")]
    [InlineData("/manifest.webmanifest", "/manifest.webmanifest")]
    [InlineData("/sw.js", "/sw.js")]
    [InlineData("/chat", "/")]
    [InlineData("/chat/main/telegram/12345", "/")]
    [InlineData("/settings/plugins", "/")]
    [InlineData("/approve/x", "/")]
    [InlineData("/sessions", "/")]
    [InlineData("/plugins", "/")]
    public async Task The_page_is_read(string path, string asked)
    {
        foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Head })
        {
            (await shared.SendAsync(method, path)).ShouldBe(HttpStatusCode.OK);
            shared.Asked().ShouldBe([$"{method} {asked}"]);
        }
    }

    // What an OpenClaw gateway of 2026.9.6 has besides its page, and ways to spell a path that a careless proxy would pass on.
    [Theory]
    [InlineData("/control-ui-config.json")]
    [InlineData("/__openclaw__/control-ui-config.json")]
    [InlineData("/__openclaw/control-ui-config.json")]
    [InlineData("/__openclaw__/assistant-media")]
    [InlineData("/__openclaw__/board/main")]
    [InlineData("/__openclaw__/canvas/")]
    [InlineData("/__openclaw__/cap/token/")]
    [InlineData("/__openclaw__/catalog-icon/x")]
    [InlineData("/__openclaw__/plugin-theme-art/a/b/c/d")]
    [InlineData("/__openclaw__/workspace-icon/x")]
    [InlineData("/__openclaw__/favicon.ico")]
    [InlineData("/v1/models")]
    [InlineData("/v1/models/x")]
    [InlineData("/v1/embeddings")]
    [InlineData("/v1/responses")]
    [InlineData("/v1/chat/completions")]
    [InlineData("/tools/invoke")]
    [InlineData("/api/artifacts/download/x")]
    [InlineData("/api/chat/media/outgoing/x")]
    [InlineData("/api/nodes/watch/x")]
    [InlineData("/api/users/x/avatar")]
    [InlineData("/api/channels/x")]
    [InlineData("/avatar/main")]
    [InlineData("/sessions/main/history")]
    [InlineData("/sessions/main/kill")]
    [InlineData("/share/session?token=x")]
    [InlineData("/share/card.png")]
    [InlineData("/hooks")]
    [InlineData("/hooks/wake")]
    [InlineData("/hooks/agent")]
    [InlineData("/plugins/x")]
    [InlineData("/plugin/x")]
    [InlineData("/oauth/mcp/callback")]
    [InlineData("/auth/callback")]
    [InlineData("/j/abcdef")]
    [InlineData("/mcp")]
    [InlineData("/mcp-app-sandbox")]
    [InlineData("/desktop/observe")]
    [InlineData("/node-desktop/attach")]
    [InlineData("/node-portal/attach")]
    [InlineData("/healthz")]
    [InlineData("/readyz")]
    [InlineData("/index.html")]
    [InlineData("/asset-manifest.json")]
    [InlineData("/ui")]
    [InlineData("/assetsx/y")]
    [InlineData("/xassets/y")]
    [InlineData("/favicon.icox")]
    [InlineData("/faviconxico")]
    [InlineData("/assets/../v1/models")]
    [InlineData("/assets/%2e%2e/v1/models")]
    [InlineData("/assets/..%2fv1/models")]
    [InlineData("/assets/..%252fv1/models")]
    [InlineData("/assets/..%5cv1/models")]
    [InlineData("/assets//v1/models")]
    [InlineData("//v1/models")]
    [InlineData("/chat/../v1/models")]
    [InlineData("/chat/..%2f..%2fv1/models")]
    public async Task Everything_else_is_closed(string path)
    {
        foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Head, HttpMethod.Post })
            (await shared.SendAsync(method, path)).ShouldBeOneOf(HttpStatusCode.NotFound, HttpStatusCode.BadRequest, HttpStatusCode.MethodNotAllowed);

        shared.Asked().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/chat")]
    [InlineData("/assets/x.js")]
    [InlineData("/sw.js")]
    public async Task Nothing_is_written(string path)
    {
        foreach (HttpMethod method in new[] { HttpMethod.Post, HttpMethod.Put, HttpMethod.Delete, HttpMethod.Patch, HttpMethod.Options })
            (await shared.SendAsync(method, path)).ShouldBeOneOf(HttpStatusCode.Forbidden, HttpStatusCode.MethodNotAllowed);

        shared.Asked().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("/assets/x.js")]
    [InlineData("/chat")]
    [InlineData("/settings/plugins")]
    [InlineData("/sw.js")]
    [InlineData("/desktop/observe")]
    public async Task A_WebSocket_is_opened_on_one_path_alone(string path)
    {
        foreach (Version version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            WebSocketException refused = await Should.ThrowAsync<WebSocketException>(() => shared.ConnectAsync(path, version));
            refused.WebSocketErrorCode.ShouldBe(WebSocketError.NotAWebSocket);
        }

        shared.Asked().ShouldBeEmpty();
    }

    [Fact]
    public async Task The_page_opens_its_WebSocket_from_its_own_origin_and_from_no_other()
    {
        foreach (Version version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using ClientWebSocket socket = await shared.ConnectAsync("/", version, "https://agent.example.com");
            shared.Asked().ShouldBe(["GET / upgrade"]);
            await Should.ThrowAsync<WebSocketException>(() => shared.ConnectAsync("/", version, "https://agent.example.org"));
        }

        shared.Asked().ShouldBeEmpty();
    }

    [Fact]
    public async Task The_page_is_asked_for_without_what_an_operator_is_known_by()
    {
        await shared.SendAsync(HttpMethod.Get, "/", request =>
        {
            foreach (string name in new[] { "Authorization", "Cookie", "X-OpenClaw-Scopes", "Tailscale-User-Login", "X-Forwarded-For", "Origin" })
                request.Headers.TryAddWithoutValidation(name, "x");
        });

        shared.Asked().ShouldBe(["GET /"]);
        shared.Headers.ShouldBe(["Host", "traceparent"], ignoreOrder: true);
    }

    public sealed class Fixture : IAsyncLifetime, IDisposable
    {
        private const string Subject = "CN=agent.example.com";

        private readonly ConcurrentQueue<string> _asked = [];
        private ProgramUnderTest _program = null!;
        private WebApplication _backend = null!;
        private RunningProgram _gateway = null!;
        private HttpClient _client = null!;
        private Uri _url = null!;

        public IReadOnlyList<string> Headers { get; private set; } = [];

        public async Task InitializeAsync()
        {
            _backend = await StartBackendAsync();
            _program = new ProgramUnderTest();
            File.Copy(Path.Combine(ConfigFolder(), "openclaw-control-ui.json"), Path.Combine(_program.Folder, "appsettings.json"));
            (string certificate, string key) = WriteCertificate(_program.Folder);
            _gateway = _program.StartServer(
                "proxygateway.dll",
                "--Urls=https://127.0.0.1:0",
                "--Admin:Url=http://127.0.0.1:0",
                $"--Kestrel:Certificates:Default:Path={certificate}",
                $"--Kestrel:Certificates:Default:KeyPath={key}",
                $"--ReverseProxy:Clusters:agent:Destinations:local:Address={_backend.Urls.Single()}");
            await _gateway.PrintsAsync("Application started");
            _url = new Uri(await _gateway.PrintsAsync("Now listening on:"));
            _client = new HttpClient(Handler());
        }

        public void Dispose() => _client.Dispose();

        public async Task DisposeAsync()
        {
            await _gateway.DisposeAsync();
            await _backend.DisposeAsync();
            _program.Delete();
        }

        /// <summary>What the backend was asked for since the last time.</summary>
        public string[] Asked()
        {
            string[] asked = [.. _asked];
            _asked.Clear();
            return asked;
        }

        public async Task<HttpStatusCode> SendAsync(HttpMethod method, string path, Action<HttpRequestMessage>? configure = null)
        {
            // As it is written: a Uri would take the dots out.
            using var request = new HttpRequestMessage(method, new Uri(_url.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
            configure?.Invoke(request);
            using HttpResponseMessage response = await _client.SendAsync(request);
            return response.StatusCode;
        }

        public async Task<ClientWebSocket> ConnectAsync(string path, Version version, string? origin = null)
        {
            var socket = new ClientWebSocket { Options = { HttpVersion = version, HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact } };
            if (origin is not null)
                socket.Options.SetRequestHeader("Origin", origin);
            try
            {
                await socket.ConnectAsync(new UriBuilder(_url) { Scheme = "wss", Path = path }.Uri, new HttpMessageInvoker(Handler()), CancellationToken.None);
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        private static SocketsHttpHandler Handler()
        {
            var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == Subject;
            return handler;
        }

        private async Task<WebApplication> StartBackendAsync()
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            WebApplication backend = builder.Build();
            backend.UseWebSockets();
            backend.Run(async context =>
            {
                _asked.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}{(context.WebSockets.IsWebSocketRequest ? " upgrade" : "")}");
                Headers = [.. context.Request.Headers.Keys];
                if (!context.WebSockets.IsWebSocketRequest)
                    return;
                using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
                await socket.ReceiveAsync(new byte[1], context.RequestAborted);
            });
            await backend.StartAsync();
            return backend;
        }

        private static (string Certificate, string Key) WriteCertificate(string folder)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest(Subject, key, HashAlgorithmName.SHA256);
            using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            (string path, string keyPath) = (Path.Combine(folder, "fullchain.pem"), Path.Combine(folder, "privkey.pem"));
            File.WriteAllText(path, certificate.ExportCertificatePem());
            File.WriteAllText(keyPath, key.ExportPkcs8PrivateKeyPem());
            return (path, keyPath);
        }

        private static string ConfigFolder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../config"));
    }
}
