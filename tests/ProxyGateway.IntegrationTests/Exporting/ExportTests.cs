using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Webhooks;

namespace ProxyGateway.IntegrationTests.Exporting;

/// <summary>The program exports what <c>docs/telemetry.md</c> lists, and nothing secret.</summary>
public sealed partial class ExportTests : IAsyncLifetime
{
    private const string Token = "c29tZS1vdGxwLXRva2Vu";
    private const string QuerySecret = "zq7secretinaquery";
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    // Only what is lost or refused has them.
    private static readonly string[] OfLosses =
        ["proxygateway.audit.dropped", "proxygateway.last_seen.dropped", "proxygateway.webhook.dropped", "proxygateway.connections.refused"];

    private readonly ProgramUnderTest _program = new();
    private OtlpReceiver _receiver = null!;
    private WebhookReceiver _hook = null!;
    private RunningProgram _agent = null!;

    public async Task InitializeAsync()
    {
        _receiver = await OtlpReceiver.StartAsync();
        _hook = await WebhookReceiver.StartAsync();
        _agent = await _program.StartAgentAsync();
    }

    public async Task DisposeAsync()
    {
        await _agent.DisposeAsync();
        await _hook.DisposeAsync();
        await _receiver.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task A_receiver_gets_the_documented_names_and_no_secret()
    {
        await using RunningProgram gateway = _program.StartServerInShell(
            "OTEL_METRIC_EXPORT_INTERVAL=300 OTEL_BSP_SCHEDULE_DELAY=100 OTEL_BLRP_SCHEDULE_DELAY=100 OTEL_SERVICE_NAME=the-gate exec \"$@\"", "proxygateway.dll", Settings());
        await gateway.PrintsAsync("Application started");
        var url = new Uri(await gateway.PrintsAsync("Now listening on:"));
        var operators = new Uri(await gateway.PrintsAsync("Operators are served on"));
        string key = (await File.ReadAllTextAsync(_program.KeyFile)).Trim();

        var device = new TestDevice();
        FrameConnection client = await TestClient.OpenAsync(url.Port, $"/?token={QuerySecret}", null, $"traceparent: 00-{Trace}-00f067aa0ba902b7-00", $"tracestate: a={QuerySecret}", $"User-Agent: {QuerySecret}");
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        var ask = new Ask { Nonce = nonce };
        string sent = ask.SignedBy(device);
        await client.SendTextAsync(sent);
        (await TestClient.OutcomeAsync(client)).ShouldBeAdmitted();
        (await TestClient.ConnectAsync(url.Port, new TestDevice(), new Ask { Role = "node" })).IsAdmitted.ShouldBeFalse();
        using ProofSigner signer = ProofSigner.WithEd25519();
        using var http = new HttpClient(new ProofHandler(signer) { InnerHandler = new SocketsHttpHandler() });
        using (HttpResponseMessage proved = await http.GetAsync(new Uri(url, "/proof/x")))
            proved.StatusCode.ShouldNotBe(HttpStatusCode.Unauthorized);
        using var admin = new HttpClient { BaseAddress = operators };
        (await admin.GetAsync("/admin/v1/requests")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await admin.GetAsync("/metrics")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, "its scraping is keyed");
        admin.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        (await admin.DeleteAsync($"/admin/v1/devices/{device.Id}")).EnsureSuccessStatusCode();
        string scraped = await admin.GetStringAsync("/metrics");

        string[] documented = [.. Names().Matches(Page()).Select(m => m.Groups["name"].Value)];
        await Eventually.HoldsAsync(() => Task.FromResult(!documented.Except(OfLosses).Except(_receiver.Metrics.Keys).Any()), "metrics came");
        documented.Except(OfLosses).Except(_receiver.Metrics.Keys).ShouldBeEmpty();
        _receiver.Metrics.Keys.Where(n => n.StartsWith("proxygateway.", StringComparison.Ordinal)).Except(documented).ShouldBeEmpty();
        _receiver.Metrics.Keys.ShouldContain("http.server.request.duration");
        _receiver.Metrics.Keys.ShouldContain("kestrel.active_connections");
        _receiver.Metrics["kestrel.active_connections"].Keys.ShouldNotContain("server.address");
        _receiver.Metrics.Keys.ShouldContain("http.client.request.duration");
        _receiver.Metrics.Keys.ShouldNotContain("http.client.open_connections");
        scraped.ShouldContain("proxygateway_handshakes_completed_total{");
        scraped.ShouldContain("proxygateway_registry_freshness_age_seconds");

        await Eventually.HoldsAsync(() => Task.FromResult(_receiver.Spans.Any(s => s.Name == "admin") && _receiver.Spans.Any(s => s.Name == "handshake" && s.Trace == Trace)), "spans came");
        await Eventually.HoldsAsync(() => Task.FromResult(_receiver.Spans.Count(s => s.Trace == Trace) >= 8), "the whole trace came");
        Span[] trace = [.. _receiver.Spans.Where(s => s.Trace == Trace)];
        trace.Where(s => s.Scope == "ProxyGateway.DeviceAuth").Select(s => s.Name).Order().ShouldBe(["backend", "backend", "handshake", "policy", "proof", "registry"]);
        Span handshake = trace.Single(s => s.Name == "handshake");
        Span proxy = trace.Single(s => s.Id == handshake.Parent);
        proxy.Scope.ShouldBe("Yarp.ReverseProxy");
        trace.Single(s => s.Id == proxy.Parent).Parent.ShouldBe("00f067aa0ba902b7", "it continues the client's trace, although that was not sampled");
        string[] ofSpans = [.. SpanNames().Matches(Page()).Select(m => m.Groups["name"].Value)];
        _receiver.Spans.Where(s => s.Scope == "ProxyGateway.DeviceAuth").SelectMany(s => s.Attributes.Keys).Distinct().Except(ofSpans).ShouldBeEmpty();

        LogLine? admitted = null;
        await Eventually.HoldsAsync(
            () => Task.FromResult((admitted = _receiver.Logs.FirstOrDefault(l => l.Trace == Trace && l.Text.StartsWith("Admitted device", StringComparison.Ordinal))) is not null), "log lines came");
        admitted!.Attributes["Device"].ShouldBe(device.Id.ToString());
        admitted.Attributes["proxygateway.device"].ShouldBe(device.Id.ToString()[..20]);

        _receiver.Authorizations.Keys.ShouldBe([$"Bearer {Token}"]);
        _receiver.Resource["service.name"].ShouldBe("the-gate");
        string everything = _receiver.Everything() + scraped;
        string signature = Signature().Match(sent).Groups["text"].Value;
        signature.Length.ShouldBeGreaterThan(40);
        foreach (string secret in new[] { key, QuerySecret, device.PublicKey, signer.PublicKey, signature, nonce, Token, ask.Token! + "\"", "eyJ" })
            everything.Contains(secret, StringComparison.Ordinal).ShouldBeFalse(secret);
        await WriteImageAsync(trace, handshake);
    }

    private string[] Settings()
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=localhost", pair, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(Path.Combine(_program.Folder, "cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_program.Folder, "key.pem"), pair.ExportPkcs8PrivateKeyPem());
        string headers = Path.Combine(_program.Folder, "otlp.headers");
        File.WriteAllText(headers, $"Authorization=Bearer%20{Token}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(headers, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return
        [
            $"--Telemetry:Otlp:Endpoint={_receiver.Address}", "--Telemetry:Otlp:Protocol=http/protobuf", "--Telemetry:Otlp:HeadersFile=otlp.headers", "--Telemetry:Prometheus=Keyed",
            "--ReverseProxy:Routes:proof:ClusterId=agent", "--ReverseProxy:Routes:proof:Match:Path=/proof/{**path}", "--ReverseProxy:Routes:proof:Order=-1",
            "--ReverseProxy:Routes:proof:Metadata:DeviceAuth=Proof",
            $"--Admin:Webhooks:chat:Url={_hook.Url}", "--Admin:Webhooks:chat:Secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "--Kestrel:Certificates:Default:Path=cert.pem", "--Kestrel:Certificates:Default:KeyPath=key.pem",
        ];
    }

    private static string Page() => File.ReadAllText(Path.Combine(Root(), "docs", "telemetry.md"));

    private static async Task WriteImageAsync(Span[] trace, Span handshake)
    {
        string folder = Path.Combine(Root(), "artifacts", "telemetry");
        Directory.CreateDirectory(folder);
        ulong from = trace.Min(s => s.Start);
        await File.WriteAllTextAsync(Path.Combine(folder, "handshake-trace.svg"), TraceImage.Of(trace, from, handshake.End + ((handshake.End - from) / 10)));
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));

    [GeneratedRegex(@"^\| `(?<name>proxygateway\.[a-z_.]+)` \| [a-z -]+ \| `[^`]+` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Names();

    [GeneratedRegex(@"`(?<name>(proxygateway|http)\.[a-z_.]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex SpanNames();

    [GeneratedRegex("\"signature\":\"(?<text>[^\"]+)\"", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Signature();
}
