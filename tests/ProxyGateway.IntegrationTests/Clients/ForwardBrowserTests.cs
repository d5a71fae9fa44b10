using System.Runtime.Versioning;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Page;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>Pages in Chromium: an agent's own, through the forwarder, and one of another site.</summary>
[Collection(PageTests.Name)]
[SupportedOSPlatform("linux")]
public sealed class ForwardBrowserTests(Chromium chromium)
{
    private const string Script = """
        async base => {
          const told = {};
          const socket = new WebSocket(base.replace('http', 'ws') + 'socket');
          socket.onopen = () => socket.send('hello');
          told.socket = await new Promise(resolve => { socket.onmessage = message => resolve(message.data); socket.onerror = () => resolve('refused'); });
          const events = new EventSource(base + 'stream');
          told.event = await new Promise(resolve => { events.onmessage = event => resolve(event.data); events.onerror = () => resolve('refused'); });
          events.close();
          try {
            told.post = await (await fetch(base + 'upload', { method: 'POST', body: 'body' })).text();
          } catch {
            told.post = 'refused';
          }
          await fetch(base + 'work', { mode: 'no-cors' }).catch(() => {});
          told.image = await new Promise(resolve => { const image = new Image(); image.onload = image.onerror = () => resolve('asked'); image.src = base + 'image'; });
          return JSON.stringify(told);
        }
        """;

    [Fact]
    public async Task The_agents_own_page_works_and_one_of_another_site_reaches_nothing()
    {
        await using ProofSetting gate = await ProofSetting.StartAsync();
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(gate, gate.Address);
        await using WebApplication site = await StartSiteAsync();

        IPage own = await chromium.OpenPageAsync(new Uri(forward.Address, "/page"));
        JsonElement told = await RunAsync(own, forward);
        (told.GetProperty("socket").GetString(), told.GetProperty("event").GetString(), told.GetProperty("post").GetString()).ShouldBe(("hello", "1", "read 4"));
        gate.State.Requests = 0;

        IPage foreign = await chromium.OpenPageAsync(new Uri(site.Urls.First()));
        told = await RunAsync(foreign, forward);
        (told.GetProperty("socket").GetString(), told.GetProperty("event").GetString(), told.GetProperty("post").GetString()).ShouldBe(("refused", "refused", "refused"));
        gate.State.Requests.ShouldBe(0);
    }

    private static async Task<JsonElement> RunAsync(IPage page, ForwardProgram forward) =>
        JsonSerializer.Deserialize<JsonElement>(await page.EvaluateAsync<string>(Script, forward.Address.ToString()));

    private static async Task<WebApplication> StartSiteAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication site = builder.Build();
        site.MapGet("/", () => Results.Content("<!doctype html><title>another site</title>", "text/html"));
        await site.StartAsync();
        return site;
    }
}
