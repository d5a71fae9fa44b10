using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>What devices say of themselves is text, whatever it is.</summary>
[Collection(PageTests.Name)]
public sealed class HostileTextTests(Chromium chromium)
{
    private const string Markup = "<img src=x onerror=alert(1)><script>alert(2)</script></bdi></h2><iframe src=//example.org>";
    private const string TurnsAround = "\u202Egnp.exe\u2066\u2067\u200F";

    // What the gate takes; a longer one is no handshake.
    private const int LongestName = 4096;

    private static readonly string Hostile = $"{Markup}{TurnsAround}{new string('W', 10_000)}";

    [Theory]
    [InlineData(1280)]
    [InlineData(360)]
    public async Task A_name_of_markup_bidirectional_text_or_ten_thousand_letters_changes_nothing(int width)
    {
        await using OperatorsPage page = await chromium.OpenAsync(configure: o => o.ViewportSize = new ViewportSize { Width = width, Height = 740 });
        await page.SignInAsync();
        int elements = await CountOfStrangeElementsAsync(page);
        TestDevice device = await chromium.Gateway.PairAsync();

        (await chromium.Gateway.ConnectAsync(device, new Ask { Role = "node", DisplayName = Hostile })).ShouldBeClosed(1008, "invalid handshake");
        string request = await chromium.Gateway.AskAsync(device, new Ask { Role = "node", DisplayName = Hostile[..LongestName] });

        await page.Request(request).WaitForAsync();
        (await page.Request(request).Locator(".claim").TextContentAsync()).ShouldNotBeNull().ShouldStartWith("says “<img src=x onerror=alert(1)>");
        await page.ShouldFitAsync();
        (await CountOfStrangeElementsAsync(page)).ShouldBe(elements);
    }

    // A role is the device's word: as a name in a table of the page it must not be found on the table's prototype.
    [Theory]
    [InlineData("constructor")]
    [InlineData("__proto__")]
    [InlineData("toString")]
    public async Task A_role_named_like_a_member_of_every_object_is_a_role_like_any_other(string role)
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync(ServingProgram.Limited);
        TestDevice device = await chromium.Gateway.PairAsync();

        string request = await chromium.Gateway.AskAsync(device, new Ask { Role = role });
        string other = await chromium.Gateway.AskAsync(device, new Ask { Role = "node" });

        (await page.Request(request).Locator(".facts").TextContentAsync()).ShouldNotBeNull().ShouldEndWith("Your key grantsnothing as " + role);
        await page.Request(other).Locator(".decide").WaitForAsync();
    }

    [Fact]
    public async Task A_card_that_cannot_be_shown_does_not_affect_the_others()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        page.Expect("uncaught");
        page.Expect("error:");
        TestDevice device = await chromium.Gateway.PairAsync();
        string request = await chromium.Gateway.AskAsync(device, new Ask { Role = "node" });
        bool isDamaged = true;
        await page.Tab.RouteAsync("**/admin/v1/requests?*", async route =>
        {
            JsonNode list = JsonNode.Parse(await (await route.FetchAsync()).BodyAsync())!;
            if (isDamaged)
                list["items"]!.AsArray().Insert(0, JsonNode.Parse("""{"id":"damaged","role":"x"}"""));
            await route.FulfillAsync(new RouteFulfillOptions { ContentType = "application/json", Body = list.ToJsonString() });
        });

        await page.SignInAsync();
        await page.Request(request).Locator(".decide").WaitForAsync();
        (await page.Request("damaged").TextContentAsync()).ShouldNotBeNull().ShouldContain("This cannot be shown here");

        // The list goes on living: what comes is shown, and what is over goes.
        isDamaged = false;
        await page.Request(await chromium.Gateway.AskAsync(device, new Ask { Role = "watcher" })).Locator(".decide").WaitForAsync();
        await page.Request("damaged").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
    }

    // The gateway makes such text safe before it stores it. The page does not rely on that.
    [Theory]
    [InlineData(1280)]
    [InlineData(360)]
    public async Task The_page_is_safe_even_if_the_gateway_cleans_nothing(int width)
    {
        await using OperatorsPage page = await chromium.OpenAsync(configure: o => o.ViewportSize = new ViewportSize { Width = width, Height = 740 });
        string id = new('a', 64);
        var client = new { id = Hostile, displayName = Hostile, platform = Hostile, mode = Hostile + "!" };
        string time = DateTimeOffset.UtcNow.ToString("O");
        await AnswerAsync(page, "requests", new
        {
            id = "r1",
            deviceId = id,
            role = Name('r'),
            scopes = new[] { Name('s'), "two" },
            newScopes = new[] { Name('s') },
            heldScopes = new[] { "two" },
            heldRoles = new[] { Name('r') },
            reason = "scope-upgrade",
            client,
            address = Hostile,
            locality = "remote",
            status = "open",
            createdAt = time,
            expiresAt = DateTimeOffset.UtcNow.AddHours(1).ToString("O"),
        });
        await AnswerAsync(page, "devices", new
        {
            id,
            publicKey = "x",
            client,
            label = Hostile,
            block = new { at = time, by = Hostile, reason = Hostile },
            grants = new Dictionary<string, object> { [Name('r')] = new { scopes = new[] { Name('s') }, approvedAt = time, approvedBy = Hostile } },
            createdAt = time,
            version = "1",
        });
        await AnswerAsync(page, "audit", new
        {
            id = "1",
            time,
            kind = Markup,
            deviceId = id,
            role = Name('r'),
            scopes = new[] { Name('s') },
            reason = Hostile,
            note = Hostile,
            @operator = Hostile,
            address = Hostile,
            locality = Markup,
            client,
        });
        await page.SignInAsync();
        int elements = await CountOfStrangeElementsAsync(page);

        foreach ((string view, string shown) in new[] { ("Requests", ".request"), ("Devices", ".device"), ("Audit", ".entry") })
        {
            await page.ShowAsync(view);
            await page.Tab.Locator(shown).First.WaitForAsync();
            (await page.Tab.Locator(shown).First.TextContentAsync()).ShouldNotBeNull().ShouldContain("<img src=x onerror=alert(1)>");
            await page.ShouldFitAsync();
            int[] longest = await page.Tab.Locator(".foreign").EvaluateAllAsync<int[]>("all => all.map(e => e.textContent.length)");
            longest.Max().ShouldBeLessThanOrEqualTo(80);
            (await page.Tab.Locator(".foreign").EvaluateAllAsync<bool>("all => all.every(e => getComputedStyle(e).unicodeBidi === 'isolate')")).ShouldBeTrue();
        }

        await page.ShowAsync("Devices");
        await OperatorsPage.Button(page.Tab.Locator(".device"), "Remove…").ClickAsync();
        await page.Dialog.WaitForAsync();
        int[] widths = await page.Dialog.EvaluateAsync<int[]>("e => [e.scrollWidth, e.clientWidth]");
        widths[0].ShouldBeLessThanOrEqualTo(widths[1]);
        (await CountOfStrangeElementsAsync(page)).ShouldBe(elements);
    }

    private static string Name(char letter) => new(letter, 128);

    private static async Task AnswerAsync(OperatorsPage page, string list, object item) =>
        await page.Tab.RouteAsync($"**/admin/v1/{list}?*", route => route.FulfillAsync(new RouteFulfillOptions
        {
            ContentType = "application/json",
            Body = JsonSerializer.Serialize(new { items = new[] { item }, next = (string?)null }),
        }));

    private static Task<int> CountOfStrangeElementsAsync(OperatorsPage page) =>
        page.Tab.Locator("img, iframe, script, style, object, embed, [onerror], [onload], [style]").CountAsync();
}
