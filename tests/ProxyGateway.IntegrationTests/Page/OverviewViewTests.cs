using System.Text.Json;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>What operators see of the last hours: the numbers of the endpoint, as they change, on any screen.</summary>
[Collection(PageTests.Name)]
public sealed class OverviewViewTests(Chromium chromium)
{
    [Fact]
    public async Task The_charts_show_the_numbers_of_the_endpoint_and_follow_them()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        TestDevice device = await gateway.PairAsync();
        TestDevice blocked = await gateway.PairAsync();
        using (await gateway.SendAsync(HttpMethod.Put, $"/admin/v1/devices/{blocked.Id}/block", new { reason = "lost" }))
            (await gateway.ConnectAsync(blocked, new Ask())).IsAdmitted.ShouldBeFalse();
        await gateway.AskAsync(new TestDevice(), new Ask(), isRemote: true);
        await gateway.AskAsync(new TestDevice(), new Ask(), isRemote: true);

        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        await page.SignInAsync(ServingProgram.Viewer, "#overview");
        await ShouldShowAsync(page, gateway);
        (await NumberAsync(page, "refusals")).ShouldBe("3");
        (await page.Tab.Locator("[data-reason='pairing-required'] .sum").TextContentAsync()).ShouldBe("2");
        (await page.Tab.Locator("[data-reason='blocked'] .sum").TextContentAsync()).ShouldBe("1");
        (await page.Tab.Locator("[data-chart='admissions'] svg").GetAttributeAsync("aria-label")).ShouldNotBeNull().ShouldStartWith("Admissions from ");
        (await page.Tab.Locator("[data-chart='admissions'] .bar").CountAsync()).ShouldBeInRange(1, 2);

        Outcome live = await gateway.ConnectAsync(device, new Ask());
        live.ShouldBeAdmitted();
        await page.Tab.Locator("[data-chart='admissions'] .number:text-is('3')").WaitForAsync();
        await page.Tab.Locator("[data-chart='sessions'] .number:text-is('1')").WaitForAsync();
        await ShouldShowAsync(page, gateway);
        await live.Client.DisposeAsync();

        await page.Tab.GetByLabel("How far back").SelectOptionAsync("last hour");
        await page.Tab.GetByText("As a table").ClickAsync();
        ILocator rows = page.Tab.Locator(".numbers tbody tr");
        await Eventually.HoldsAsync(async () => await rows.CountAsync() is 1 or 2, "the last hour has a row for each five minutes in which the gateway ran");
        string[] admissions = await rows.Locator("td:nth-child(2)").EvaluateAllAsync<string[]>("all => all.map(cell => cell.textContent)");
        admissions.Sum(int.Parse).ShouldBe(3);
    }

    [Fact]
    public async Task Without_an_answer_the_last_numbers_stay_and_say_so()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.Tab.RouteAsync("**/admin/v1/overview?*", route => route.FulfillAsync(new RouteFulfillOptions
        {
            Json = new
            {
                from = "2026-12-01T10:00:00Z",
                until = "2026-12-01T16:00:00Z",
                bucketSeconds = 300,
                admissions = 1234,
                requestsOpened = 0,
                sessions = 0,
                thisGatewayAlone = true,
                refusals = new Dictionary<string, int> { ["of-a-newer-gateway"] = 2, ["busy"] = 1 },
                gateways = new[] { new { name = "<b>gate</b>", sessions = 0, secondsAgo = 0 } },
                buckets = new[] { new { from = "2026-12-01T15:55:00Z", admissions = 1234, refusals = new Dictionary<string, int>(), requestsOpened = 0, sessions = 0, registryLooks = 6, registryFailures = 6, registryMilliseconds = 0 } },
            },
        }));
        await page.SignInAsync(fragment: "#overview");

        await page.Tab.GetByText("This gateway alone").WaitForAsync();
        (await NumberAsync(page, "admissions")).ShouldBe("1,234");
        (await NumberAsync(page, "open-requests")).ShouldBe("?");
        (await NumberAsync(page, "registry")).ShouldBe("does not answer");
        (await page.Tab.Locator("[data-chart='registry'] .outage").CountAsync()).ShouldBe(1);
        (await page.Tab.Locator("[data-reason]").EvaluateAllAsync<string[]>("all => all.map(row => row.dataset.reason)")).ShouldBe(["of-a-newer-gateway", "busy"]);
        await page.Tab.GetByText("<b>gate</b>").WaitForAsync();
    }

    [Fact]
    public async Task It_fits_wide_and_narrow_screens_light_and_dark()
    {
        foreach ((string name, int width, ColorScheme scheme) in new[]
        {
            ("desktop-light", 1280, ColorScheme.Light), ("desktop-dark", 1280, ColorScheme.Dark), ("phone-light", 360, ColorScheme.Light), ("phone-dark", 360, ColorScheme.Dark),
        })
        {
            await using OperatorsPage page = await chromium.OpenAsync(configure: options =>
            {
                options.ViewportSize = new ViewportSize { Width = width, Height = 740 };
                options.ColorScheme = scheme;
            });
            await page.SignInAsync(fragment: "#overview");
            await page.Tab.Locator("[data-chart='registry']").WaitForAsync();
            await page.ShouldFitAsync();
            await page.Tab.GetByText("As a table").ClickAsync();
            await page.ShouldFitAsync();
            await page.PictureAsync(name + "-overview", isWhole: true);
        }
    }

    private static async Task<string?> NumberAsync(OperatorsPage page, string chart) => await page.Tab.Locator($"[data-chart='{chart}'] .number").TextContentAsync();

    private static async Task ShouldShowAsync(OperatorsPage page, ServingProgram gateway)
    {
        await Eventually.HoldsAsync(
            async () =>
            {
                using HttpResponseMessage answer = await gateway.SendAsync(HttpMethod.Get, "/admin/v1/overview?hours=6");
                using JsonDocument report = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
                JsonElement root = report.RootElement;
                return await NumberAsync(page, "admissions") == $"{root.GetProperty("admissions").GetInt32()}"
                    && await NumberAsync(page, "refusals") == $"{root.GetProperty("refusals").EnumerateObject().Sum(r => r.Value.GetInt32())}"
                    && await NumberAsync(page, "sessions") == $"{root.GetProperty("sessions").GetInt32()}"
                    && await NumberAsync(page, "open-requests") == $"{root.GetProperty("openRequests").GetInt32()}";
            },
            "the page shows the numbers of the endpoint");
    }
}
