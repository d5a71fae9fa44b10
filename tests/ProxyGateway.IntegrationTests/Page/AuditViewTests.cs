using Microsoft.Playwright;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>What operators see of what happened.</summary>
[Collection(PageTests.Name)]
public sealed class AuditViewTests(Chromium chromium)
{
    [Fact]
    public async Task The_audit_is_listed_filtered_and_shown_page_by_page()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        TestDevice device = await gateway.PairAsync();
        TestDevice other = await gateway.PairAsync();
        for (int i = 0; i < 20; i++)
            await (await gateway.ConnectAsync(other, new Ask())).Client.DisposeAsync();
        string request = await gateway.AskAsync(device, new Ask { Role = "node" });
        using HttpResponseMessage approved = await gateway.SendAsync(HttpMethod.Post, $"/admin/v1/requests/{request}/approve");
        await page.SignInAsync(fragment: "#audit");
        ILocator entries = page.Tab.Locator(".entry");
        await entries.First.GetByText("Approved").WaitForAsync();
        (await entries.CountAsync()).ShouldBe(50);
        (await entries.First.Locator(".what").TextContentAsync()).ShouldNotBeNull().ShouldContain("by ops");

        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Show more" }).ClickAsync();
        await entries.Nth(60).WaitForAsync();

        await page.Tab.GetByLabel("What", new PageGetByLabelOptions { Exact = true }).SelectOptionAsync("Asked");
        await page.Tab.Locator(".entry .kind:not(:text-is('Asked'))").First.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        (await entries.Locator(".kind").AllTextContentsAsync()).ShouldBe(["Asked"]);

        await page.Tab.GetByLabel("Operator", new PageGetByLabelOptions { Exact = true }).FillAsync("nobody");
        await page.Tab.Keyboard.PressAsync("Enter");
        await page.Tab.GetByText("Nothing like this on record").WaitForAsync();
        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Clear" }).ClickAsync();
        await entries.Nth(49).WaitForAsync();

        await (await gateway.ConnectAsync(device, new Ask())).Client.DisposeAsync();
        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = " newer" }).ClickAsync();
        await entries.First.GetByText("Session closed").WaitForAsync();
    }

    [Fact]
    public async Task There_are_words_for_every_kind_of_entry()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.GoAsync();

        string[] kinds = await page.Tab.EvaluateAsync<string[]>("""async () => Object.keys((await import("/page/words.js")).KINDS)""");

        kinds.ShouldBe(AuditKinds.All, ignoreOrder: true);
    }

    [Fact]
    public async Task A_device_leads_to_its_history_and_an_entry_to_its_device()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await chromium.Gateway.PairAsync();
        await page.SignInAsync(fragment: "#devices");

        await page.Device(device).GetByRole(AriaRole.Link, new LocatorGetByRoleOptions { Name = "Audit" }).ClickAsync();
        await page.Tab.Locator(".entry", new PageLocatorOptions { HasText = "Approved by a rule" }).WaitForAsync();
        (await page.Tab.Locator(".entry a").EvaluateAllAsync<string[]>("all => [...new Set(all.map(a => a.hash))]")).ShouldBe([$"#devices/{device.Id}"]);

        await page.Tab.Locator(".entry a").First.ClickAsync();
        await page.Device(device).WaitForAsync();
        await Eventually.HoldsAsync(async () => await page.Tab.Locator(".device:visible").CountAsync() == 1, "it is the only one that is shown");
    }
}
