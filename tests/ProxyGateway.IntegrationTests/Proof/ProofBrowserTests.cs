using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.IntegrationTests.Page;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Pages in Chromium, with keys of WebCrypto that no script can read, at a gateway of another origin.</summary>
[Collection(PageTests.Name)]
public sealed class ProofBrowserTests(Chromium chromium)
{
    private const string Script = """
        async ([gate, alg]) => {
          const url = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
          const text = value => url(new TextEncoder().encode(JSON.stringify(value)));
          const kind = alg === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };
          const keys = self.keys ??= await crypto.subtle.generateKey(kind, false, ['sign', 'verify']);
          const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', keys.publicKey);
          const prove = async (htm, htu, nonce) => {
            const signed = text({ typ: 'dpop+jwt', alg, jwk: { kty, crv, x, y } }) + '.' + text({ htm, htu, nonce, jti: crypto.randomUUID(), iat: Math.floor(Date.now() / 1000) });
            return signed + '.' + url(await crypto.subtle.sign({ name: kind.name, hash: 'SHA-256' }, keys.privateKey, new TextEncoder().encode(signed)));
          };
          const told = { canExport: keys.privateKey.extractable };
          let nonce;
          try {
            nonce = (await fetch(gate + '/.well-known/proxygateway/nonce')).headers.get('Device-Nonce');
            const answer = await fetch(gate + '/work', { headers: { 'Device-Proof': await prove('GET', gate + '/work', nonce) } });
            told.status = answer.status;
            told.body = await answer.text();
          } catch (error) {
            told.error = String(error);
          }
          const proof = nonce && await prove('GET', gate + '/socket', nonce);
          const socket = new WebSocket(gate.replace('http', 'ws') + '/socket', ['device-proof.v1', ...(proof ? ['device-proof.v1.' + proof] : [])]);
          socket.onmessage = message => { told.echo = message.data; socket.close(); };
          socket.onopen = () => { told.protocol = socket.protocol; socket.send('hello'); };
          await new Promise(resolve => socket.onclose = event => { told.code = event.code; told.reason = event.reason; resolve(); });
          return JSON.stringify(told);
        }
        """;

    [Theory]
    [InlineData("ES256")]
    [InlineData("Ed25519")]
    public async Task A_page_of_an_allowed_origin_reads_why_it_is_refused_and_gets_in_once_it_is_approved(string algorithm)
    {
        await using WebApplication site = await StartSiteAsync();
        await using ProofSetting gate = await ProofSetting.StartAsync(options => options with { AllowedOrigins = [site.Urls.First()] });
        IPage page = await chromium.OpenPageAsync(new Uri(site.Urls.First()));

        JsonElement refused = await RunAsync(page, gate, algorithm);
        refused.GetProperty("canExport").GetBoolean().ShouldBeFalse();
        refused.GetProperty("status").GetInt32().ShouldBe(403, refused.ToString());
        JsonElement problem = JsonSerializer.Deserialize<JsonElement>(refused.GetProperty("body").GetString()!);
        problem.GetProperty("code").GetString().ShouldBe("pairing_required");
        string request = problem.GetProperty("requestId").GetString()!;
        (refused.GetProperty("code").GetInt32(), refused.GetProperty("reason").GetString()).ShouldBe((1008, $"pairing required: device is not approved yet (requestId: {request})"));
        gate.Heard.ShouldBeEmpty();

        await gate.ApproveAsync(RequestId.Parse(request));
        JsonElement admitted = await RunAsync(page, gate, algorithm);
        admitted.GetProperty("status").GetInt32().ShouldBe(200, admitted.ToString());
        admitted.GetProperty("protocol").GetString().ShouldBe("device-proof.v1");
        admitted.GetProperty("echo").GetString().ShouldNotBeNull().ShouldEndWith("hello");
        gate.Heard.ShouldAllBe(headers => !headers.ContainsKey("Device-Proof") && !headers.SecWebSocketProtocol.ToString().Contains("device-proof"));
    }

    [Fact]
    public async Task A_page_of_another_origin_reads_nothing_and_opens_nothing()
    {
        await using WebApplication site = await StartSiteAsync();
        await using ProofSetting gate = await ProofSetting.StartAsync();
        IPage page = await chromium.OpenPageAsync(new Uri(site.Urls.First()));

        JsonElement told = await RunAsync(page, gate, "ES256");

        told.GetProperty("error").GetString().ShouldNotBeNull().ShouldContain("Failed to fetch");
        told.GetProperty("code").GetInt32().ShouldBe(1006, "the upgrade was refused");
        gate.Heard.ShouldBeEmpty();
        (await gate.Registry.ListOpenRequestsAsync(null, 10, default)).Items.ShouldBeEmpty();
    }

    private static async Task<JsonElement> RunAsync(IPage page, ProofSetting gate, string algorithm) =>
        JsonSerializer.Deserialize<JsonElement>(await page.EvaluateAsync<string>(Script, new[] { $"http://127.0.0.1:{gate.Address.Port}", algorithm }));

    private static async Task<WebApplication> StartSiteAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication site = builder.Build();
        site.Run(context =>
        {
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync("<!doctype html><title>A page</title>");
        });
        await site.StartAsync();
        return site;
    }
}
