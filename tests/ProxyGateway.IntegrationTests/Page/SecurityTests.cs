using System.Text.RegularExpressions;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Admin;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>What the page is allowed to do: its own files, its own endpoints, nothing else.</summary>
[Collection(PageTests.Name)]
public sealed partial class SecurityTests(Chromium chromium)
{
    [Fact]
    public async Task Every_file_is_served_without_a_key_with_its_type_and_the_policy()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        Answer start = await admin.GetAsync("/", key: null);
        (start.Status, start.MediaType).ShouldBe((200, "text/html"));
        string[] scripts = await ModulesAsync(admin, "main.js");
        string[] files = ["/", "/page/style.css", "/page/icon.svg", .. scripts.Select(s => "/page/" + s)];
        files.Length.ShouldBeGreaterThan(12);

        foreach (string path in files)
        {
            foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Head })
            {
                Answer answer = await admin.SendAsync(method, path, key: null);
                answer.Status.ShouldBe(200, path);
                answer.MediaType.ShouldBe(Path.GetExtension(path) switch { ".js" => "text/javascript", ".css" => "text/css", ".svg" => "image/svg+xml", _ => "text/html" });
                (answer.Text.Length == 0).ShouldBe(method == HttpMethod.Head);
                answer.Headers["Content-Security-Policy"].ShouldBe(
                    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
                    + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
                answer.Headers["Referrer-Policy"].ShouldBe("no-referrer");
                answer.Headers["Cross-Origin-Opener-Policy"].ShouldBe("same-origin");
                answer.Headers["Cross-Origin-Resource-Policy"].ShouldBe("same-origin");
                answer.Headers["X-Content-Type-Options"].ShouldBe("nosniff");
                answer.Headers["Cache-Control"].ShouldBe("no-store");
            }
        }
    }

    [Theory]
    [InlineData("/page/")]
    [InlineData("/page/nothing.js")]
    [InlineData("/page/index.html")]
    [InlineData("/page/../admin.key")]
    [InlineData("/page/%2e%2e/admin.key")]
    public async Task A_path_that_is_no_file_of_the_page_is_unknown(string path)
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        (await admin.GetAsync(path, key: null)).ShouldBeProblem(401, "unauthorized");
    }

    [Fact]
    public async Task The_page_has_no_way_from_a_string_to_markup()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        string start = (await admin.GetAsync("/", key: null)).Text;

        Inline().Matches(start).ShouldBeEmpty();
        foreach (string script in await ModulesAsync(admin, "main.js"))
            Sink().Matches((await admin.GetAsync("/page/" + script, key: null)).Text).Select(m => m.Value).ShouldBeEmpty(script);
    }

    // With the policy taken away, the very same probe runs: so it is the policy that stops it.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Inline_scripts_do_not_run_and_foreign_resources_are_not_loaded(bool hasPolicy)
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        page.Expect("Content Security Policy");
        page.Expect("requires 'TrustedHTML'");
        page.Expect("example.invalid");
        page.Expect("ERR_FAILED");
        page.Expect("status of 401");
        var asked = new List<string>(); // what gets past the policy, which the browser tells of either way
        await page.Tab.RouteAsync("http://example.invalid/**", route =>
        {
            asked.Add(route.Request.Url);
            return route.AbortAsync();
        });
        await page.Tab.RouteAsync("**/", async route =>
        {
            IAPIResponse response = await route.FetchAsync();
            var headers = new Dictionary<string, string>(response.Headers);
            headers.Remove("content-length");
            if (!hasPolicy)
                headers.Remove("content-security-policy");
            string body = (await response.TextAsync()).Replace(
                "</main>",
                """
                <script>window.ran = ["script"]</script><style>:root { --ran: style }</style>
                <img src="/page/nothing.svg" onerror="(window.ran ??= []).push('handler')"><script src="http://example.invalid/x.js"></script></main>
                """);
            await route.FulfillAsync(new RouteFulfillOptions { Status = 200, Headers = headers, Body = body });
        });
        await page.GoAsync();
        await page.Tab.Locator("#sign-in").WaitForAsync();

        string ran = await page.Tab.EvaluateAsync<string>("""
            () => {
              try {
                document.querySelector("main").insertAdjacentHTML("beforeend", "<b id='made'></b>");
              } catch { }
              return JSON.stringify([
                ...(window.ran ?? []),
                getComputedStyle(document.documentElement).getPropertyValue("--ran").trim(),
                document.getElementById("made")?.id,
              ].filter(Boolean));
            }
            """);

        ran.ShouldBe(hasPolicy ? "[]" : """["script","handler","style","made"]""");
        asked.ShouldBe(hasPolicy ? [] : ["http://example.invalid/x.js"]);
    }

    [Fact]
    public async Task Events_are_read_in_pieces_of_any_size()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.GoAsync();

        string read = await page.Tab.EvaluateAsync<string>("""
            async () => {
              const { EventParser } = await import("/page/sse.js");
              const stream = "id: 1\nevent: a\ndata: x\ndata: y\n\n:\n\nid:2\r\ndata:  z\r\n\r\nevent: lost\n\ndata\n\ndata: half";
              const all = [];
              for (let size = 1; size <= stream.length; size++) {
                const events = [];
                const parser = new EventParser((event) => events.push([event.name, event.data, event.id]));
                for (let at = 0; at < stream.length; at += size) parser.push(stream.slice(at, at + size));
                all.push(JSON.stringify(events));
              }
              return [...new Set(all)].join("\n");
            }
            """);

        read.ShouldBe("""[["a","x\ny","1"],["message"," z","2"],["message","","2"]]""");
    }

    private static async Task<string[]> ModulesAsync(TestAdmin admin, string first)
    {
        var found = new List<string> { first };
        for (int i = 0; i < found.Count; i++)
        {
            Answer module = await admin.GetAsync("/page/" + found[i], key: null);
            module.Status.ShouldBe(200, found[i]);
            found.AddRange(Import().Matches(module.Text).Select(m => m.Groups["name"].Value).Except(found));
        }

        return [.. found];
    }

    [GeneratedRegex("""^import .* from "\./(?<name>[^"]+)";$""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Import();

    [GeneratedRegex("""<style|\sstyle=|\son\w+=|javascript:|<script(?! type="module" src="/page/main\.js"></script>)|(src|href)="(?!/page/|#)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Inline();

    [GeneratedRegex(
        """innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\b|new Function|setHTML|localStorage|\.cookie""",
        RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex Sink();
}
