using System.Diagnostics;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>A device asks, and an operator decides on the page.</summary>
[Collection(PageTests.Name)]
public sealed class DecidingTests(Chromium chromium, ITestOutputHelper output)
{
    private readonly ServingProgram _gateway = chromium.Gateway;

    [Fact]
    public async Task A_request_appears_without_a_reload_within_a_second()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();

        var measured = new List<TimeSpan>();
        foreach (string role in new[] { "node", "watcher", "builder" })
        {
            string request = await _gateway.AskAsync(device, new Ask { Role = role, Scopes = ["camera.use"] });
            long asked = Stopwatch.GetTimestamp();
            await page.Request(request).WaitForAsync();
            measured.Add(Stopwatch.GetElapsedTime(asked));
        }

        output.WriteLine("A request was shown after " + string.Join(", ", measured.Select(m => $"{m.TotalMilliseconds:0} ms")));
        measured.Min().ShouldBeLessThan(TimeSpan.FromSeconds(1)); // the others may have had to wait for the machine
        (await page.Tab.TitleAsync()).ShouldMatch(@"^\(\d+\) Requests · ProxyGateway$");
        (await page.Tab.Locator("#announcer").TextContentAsync()).ShouldNotBeNull().ShouldContain("New request: New role, builder.");
    }

    [Fact]
    public async Task A_waiting_client_is_admitted_by_itself_once_it_is_approved()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        string identity = Path.Combine(_gateway.Program.Folder, "waiting.json");
        string url = _gateway.Url.AbsoluteUri.Replace("http", "ws");
        (await _gateway.Program.RunAsync("connect", url, "--identity", identity)).ShouldSucceed();
        Task<Ended> waiting = _gateway.Program.RunAsync("connect", url, "--identity", identity, "--role", "kitchen", "--wait", "--json");
        ILocator card = page.Tab.Locator(".request", new PageLocatorOptions { HasText = "kitchen" });
        await card.WaitForAsync();
        (await card.Locator(".sentence").TextContentAsync()).ShouldBe("Holds operator already, and asks for the role kitchen as well.");

        await OperatorsPage.Button(card, "Approve").ClickAsync();

        await card.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        (await waiting).ShouldSucceed().Json.GetProperty("admitted").GetBoolean().ShouldBeTrue();
        (await page.Notices.TextContentAsync()).ShouldNotBeNull().ShouldContain("Approved: kitchen for ");
    }

    [Fact]
    public async Task A_device_is_admitted_with_the_fewer_scopes_that_are_approved()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();
        var ask = new Ask { Role = "node", Scopes = ["camera.use", "location.read", "screen.record"] };
        ILocator card = page.Request(await _gateway.AskAsync(device, ask));
        await card.WaitForAsync();
        (await card.Locator(".scope-choice code").AllTextContentsAsync()).ShouldBe(["camera.use", "location.read", "screen.record"]);

        await card.GetByLabel("screen.record").UncheckAsync();
        await card.GetByLabel("For how long").SelectOptionAsync("for 1 hour");
        await OperatorsPage.Button(card, "Approve 2 of 3 scopes").ClickAsync();
        await card.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });

        (await _gateway.ConnectAsync(device, ask)).IsAdmitted.ShouldBeFalse();
        (await _gateway.ConnectAsync(device, ask with { Scopes = ["camera.use", "location.read"] })).ShouldBeAdmitted();
        await page.ShowAsync("Devices");
        (await page.Device(device).Locator(".grants").TextContentAsync()).ShouldNotBeNull().ShouldContain("by ops just now, until ");
    }

    [Fact]
    public async Task An_upgrade_offers_only_its_new_scopes_to_decide()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync(new Ask { Scopes = ["operator.write"] });
        ILocator card = page.Request(await _gateway.AskAsync(
            device, new Ask { Scopes = ["operator.read", "operator.write", "operator.pairing"] }, isRemote: true));
        await card.WaitForAsync();

        (await card.Locator("h2").TextContentAsync()).ShouldBe("operatorMore scopes");
        (await card.Locator(".scope-choice code").AllTextContentsAsync()).ShouldBe(["operator.pairing"]);
        (await card.Locator("dt").AllTextContentsAsync()).ShouldBe(["Device", "From", "Roles now", "Scopes now as operator", "Asks for, and has", "Asks to add", "For how long"]);
        (await card.Locator("dd").Nth(1).TextContentAsync()).ShouldBe("127.0.0.1, this machine, but through a proxy or under another name: counts as elsewhere");
        (await card.Locator("dd").Nth(3).TextContentAsync()).ShouldBe("operator.write");
        (await card.Locator("dd").Nth(4).TextContentAsync()).ShouldBe("operator.readoperator.write");

        await card.GetByLabel("For how long").SelectOptionAsync("for 1 day");
        page.Expect("status of 422");
        await OperatorsPage.Button(card, "Approve").ClickAsync();
        await card.GetByRole(AriaRole.Alert).WaitForAsync();
        (await card.GetByRole(AriaRole.Alert).TextContentAsync()).ShouldNotBeNull().ShouldStartWith("The device holds this role without end");
    }

    [Fact]
    public async Task A_rejected_device_gets_pairing_rejected()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();
        var ask = new Ask { Role = "node" };
        ILocator card = page.Request(await _gateway.AskAsync(device, ask));

        await OperatorsPage.Button(card, "Reject").ClickAsync();
        await card.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });

        (await _gateway.ConnectAsync(device, ask)).ShouldBeClosed(1008, "pairing rejected");
    }

    [Fact]
    public async Task A_request_that_another_operator_decided_disappears_and_says_so()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync(ServingProgram.Limited);
        TestDevice device = await _gateway.PairAsync();
        string request = await _gateway.AskAsync(device, new Ask { Role = "node" });
        await page.Request(request).WaitForAsync();

        using HttpResponseMessage rejected = await _gateway.SendAsync(HttpMethod.Post, $"/admin/v1/requests/{request}/reject");

        await page.Request(request).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.Notices.GetByText("A request for node was decided elsewhere: rejected by ops.", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
    }

    [Fact]
    public async Task The_second_operator_sees_who_decided_first()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();
        string request = await _gateway.AskAsync(device, new Ask { Role = "node" });
        await page.Request(request).WaitForAsync();
        await page.Tab.RouteAsync("**/approve", async route =>
        {
            using HttpResponseMessage rejected = await _gateway.SendAsync(HttpMethod.Post, $"/admin/v1/requests/{request}/reject");
            await route.ContinueAsync();
        });

        page.Expect("status of 409");
        await OperatorsPage.Button(page.Request(request), "Approve").ClickAsync();

        await page.Notices.GetByText("This request was decided already. It is rejected, by ops.").WaitForAsync();
    }

    [Fact]
    public async Task An_operator_with_a_ceiling_sees_it_and_hears_when_it_is_reached()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync(ServingProgram.Limited);
        TestDevice device = await _gateway.PairAsync();
        ILocator card = page.Request(await _gateway.AskAsync(device, new Ask { Role = "node" }));
        await card.WaitForAsync();
        (await card.Locator(".facts").TextContentAsync()).ShouldNotBeNull().ShouldEndWith("Your key grantsnothing as node");

        page.Expect("status of 403");
        await OperatorsPage.Button(card, "Approve").ClickAsync();

        (await card.GetByRole(AriaRole.Alert).TextContentAsync()).ShouldBe("Your key may not grant as much as that. Grant less, or ask an operator whose key may.");
    }

    [Fact]
    public async Task A_request_is_approved_with_the_keyboard_alone()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        var ask = new Ask { Role = "keyboard", Scopes = ["a", "b"] };
        string request = await _gateway.AskAsync(device, ask);
        IKeyboard keyboard = page.Tab.Keyboard;
        await page.GoAsync();
        await page.Tab.Locator("#key:focus").WaitForAsync();
        await keyboard.TypeAsync(ServingProgram.Approver);
        await keyboard.PressAsync("Enter");
        await page.Request(request).WaitForAsync();

        // From the heading of the view: newest first, so that its choices come first.
        await page.Tab.Locator("#requests-title:focus").WaitForAsync();
        await keyboard.PressAsync("Tab");
        await page.Request(request).GetByLabel("a", new LocatorGetByLabelOptions { Exact = true }).And(page.Tab.Locator(":focus")).WaitForAsync();
        (await page.Tab.EvaluateAsync<string>("() => getComputedStyle(document.activeElement).outlineStyle")).ShouldBe("solid");
        await keyboard.PressAsync("Space");
        await keyboard.PressAsync("Tab");
        await keyboard.PressAsync("Tab");
        await page.Request(request).GetByLabel("For how long").And(page.Tab.Locator(":focus")).WaitForAsync();
        await keyboard.PressAsync("Tab");
        await OperatorsPage.Button(page.Request(request), "Approve 1 of 2 scopes").And(page.Tab.Locator(":focus")).WaitForAsync();
        await keyboard.PressAsync("Enter");

        await page.Request(request).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        (await page.Tab.EvaluateAsync<bool>("() => document.activeElement.matches('h1, h2')")).ShouldBeTrue("The focus is at the next request, or the heading.");
        (await _gateway.ConnectAsync(device, ask with { Scopes = ["b"] })).ShouldBeAdmitted();
    }

    [Fact]
    public async Task The_first_tab_stop_skips_the_navigation()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        await page.Tab.ReloadAsync();
        await page.Tab.Locator("#bar").WaitForAsync();
        await page.Tab.EvaluateAsync("() => document.activeElement.blur()");

        await page.Tab.Locator("#skip").FocusAsync();
        await page.Tab.Keyboard.PressAsync("Enter");

        await page.Tab.Locator("main:focus").WaitForAsync();
    }

    // The clock of the page stands still, so that the time in which no click counts does not pass.
    [Fact]
    public async Task A_click_that_was_meant_for_another_request_does_not_count_while_the_list_moves()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.Tab.Clock.InstallAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();
        string first = await _gateway.AskAsync(device, new Ask { Role = "node" });
        await page.Request(first).WaitForAsync();
        string second = await _gateway.AskAsync(device, new Ask { Role = "watcher" });
        await page.Request(second).WaitForAsync();
        await page.Tab.Clock.PauseAtAsync(DateTime.UtcNow.AddSeconds(30));
        List<string> decisions = Decisions(page);

        using HttpResponseMessage rejected = await _gateway.SendAsync(HttpMethod.Post, $"/admin/v1/requests/{first}/reject");
        await page.Request(first).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await ClickAsync(page, second);
        await page.Tab.Clock.RunForAsync(1000);
        decisions.ShouldBeEmpty();

        await ClickAsync(page, second);
        await page.Request(second).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        decisions.ShouldBe([new Uri(_gateway.Admin, $"/admin/v1/requests/{second}/approve").AbsoluteUri]);
    }

    [Fact]
    public async Task Requests_of_strangers_neither_move_nor_lock_the_one_that_an_operator_decides()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.Tab.Clock.InstallAsync();
        await page.SignInAsync();
        string request = await _gateway.AskAsync(await _gateway.PairAsync(), new Ask { Role = "node" });
        await page.Request(request).WaitForAsync();
        await page.Tab.Clock.PauseAtAsync(DateTime.UtcNow.AddSeconds(30));
        await ScrollToAsync(page, request);
        LocatorBoundingBoxResult before = (await page.Request(request).BoundingBoxAsync())!;
        List<string> decisions = Decisions(page);

        TestDevice stranger = await _gateway.PairAsync();
        foreach (string role in new[] { "one", "two", "three" })
            await page.Request(await _gateway.AskAsync(stranger, new Ask { Role = role })).WaitForAsync();

        LocatorBoundingBoxResult after = (await page.Request(request).BoundingBoxAsync())!;
        (after.X, after.Y).ShouldBe((before.X, before.Y));
        await ClickAsync(page, request);
        await page.Request(request).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        decisions.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_request_moves_every_few_seconds_at_most_when_others_above_it_end()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.Tab.Clock.InstallAsync();
        await page.SignInAsync();
        TestDevice stranger = await _gateway.PairAsync();
        string first = await _gateway.AskAsync(stranger, new Ask { Role = "one" });
        await page.Request(first).WaitForAsync();
        string second = await _gateway.AskAsync(stranger, new Ask { Role = "two" });
        await page.Request(second).WaitForAsync();
        string request = await _gateway.AskAsync(await _gateway.PairAsync(), new Ask { Role = "node" });
        await page.Request(request).WaitForAsync();
        await page.Tab.Clock.PauseAtAsync(DateTime.UtcNow.AddSeconds(30));

        using HttpResponseMessage one = await _gateway.SendAsync(HttpMethod.Post, $"/admin/v1/requests/{first}/reject");
        await page.Request(first).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.Tab.Clock.RunForAsync(1000);
        using HttpResponseMessage two = await _gateway.SendAsync(HttpMethod.Post, $"/admin/v1/requests/{second}/reject");
        await page.Tab.Locator($"[data-request='{second}'][inert]").WaitForAsync();
        await ClickAsync(page, request); // nothing has moved a second time, so this counts

        await page.Request(request).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.Tab.Clock.RunForAsync(6000);
        await page.Request(second).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
    }

    [Fact]
    public async Task The_chosen_scopes_stay_while_other_requests_arrive_and_the_device_asks_again()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();
        var ask = new Ask { Role = "node", Scopes = ["a", "b"] };
        string request = await _gateway.AskAsync(device, ask);
        ILocator box = page.Request(request).GetByLabel("b", new LocatorGetByLabelOptions { Exact = true });
        await box.UncheckAsync();
        await box.FocusAsync();

        (await _gateway.AskAsync(device, ask)).ShouldBe(request);
        string other = await _gateway.AskAsync(device, new Ask { Role = "watcher" });
        await page.Request(other).WaitForAsync();

        (await box.IsCheckedAsync()).ShouldBeFalse();
        await box.And(page.Tab.Locator(":focus")).WaitForAsync();
    }

    [Fact]
    public async Task Requests_of_one_device_are_shown_together_and_approved_at_once_with_a_role_that_it_has_not_requested()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        string before = await _gateway.AskAsync(device, new Ask { Role = "watcher", Scopes = ["look"] });
        string between = await _gateway.AskAsync(await _gateway.PairAsync(), new Ask { Role = "node" });
        string request = await _gateway.AskAsync(device, new Ask { Role = "node", Scopes = ["camera.use"] });
        await page.SignInAsync();
        await page.Request(before).WaitForAsync();
        string?[] shown = await page.Tab.EvaluateAsync<string[]>("() => [...document.querySelectorAll('[data-request]')].map((card) => card.dataset.request)");
        shown.Where(id => id == before || id == between || id == request).ShouldBe([request, before, between], "newest first, and those of one device together");

        ILocator card = page.Request(request);
        await card.GetByText("This device asks for 1 more: approve at once").ClickAsync();
        await card.GetByLabel("watcher with look").CheckAsync();
        await card.GetByLabel("Role").FillAsync("builder");
        await card.GetByLabel("with scopes").FillAsync("a, b");
        await OperatorsPage.Button(card, "Approve").ClickAsync();

        await page.Notices.GetByText("Approved: node, watcher and builder for ").WaitForAsync();
        await page.Request(before).WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        (await _gateway.ConnectAsync(device, new Ask { Role = "node", Scopes = ["camera.use"] })).ShouldBeAdmitted();
        (await _gateway.ConnectAsync(device, new Ask { Role = "watcher", Scopes = ["look"] })).ShouldBeAdmitted();
        (await _gateway.ConnectAsync(device, new Ask { Role = "builder", Scopes = ["a", "b"] })).ShouldBeAdmitted();
    }

    [Fact]
    public async Task A_devices_later_request_neither_moves_its_card_nor_changes_the_choice()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        TestDevice device = await _gateway.PairAsync();
        string request = await _gateway.AskAsync(device, new Ask { Role = "node" });
        await page.Request(await _gateway.AskAsync(device, new Ask { Role = "watcher" })).WaitForAsync();
        ILocator card = page.Request(request);
        await card.GetByText("This device asks for 1 more: approve at once").ClickAsync();
        await card.GetByLabel("watcher").CheckAsync();
        LocatorBoundingBoxResult before = (await card.BoundingBoxAsync())!;

        await page.Request(await _gateway.AskAsync(device, new Ask { Role = "builder" })).WaitForAsync();

        await card.GetByText("This device asks for 2 more: approve at once").WaitForAsync();
        (await card.BoundingBoxAsync())!.Height.ShouldBe(before.Height);
        (await card.GetByLabel("watcher").IsCheckedAsync()).ShouldBeTrue();
    }

    private static List<string> Decisions(OperatorsPage page)
    {
        var decisions = new List<string>();
        page.Tab.Request += (_, request) =>
        {
            if (request.Url.Contains("/requests/", StringComparison.Ordinal) && request.Method == "POST")
                decisions.Add(request.Url);
        };
        return decisions;
    }

    // Where the button is, whatever is there: a locator's own click would wait until the button takes clicks.
    private static async Task ClickAsync(OperatorsPage page, string request)
    {
        await ScrollToAsync(page, request);
        LocatorBoundingBoxResult place = (await OperatorsPage.Button(page.Request(request), "Approve").BoundingBoxAsync())!;
        await page.Tab.Mouse.ClickAsync(place.X + (place.Width / 2), place.Y + (place.Height / 2));
    }

    // Not the locator's own, which waits for frames, and so for the clock.
    private static async Task ScrollToAsync(OperatorsPage page, string request) =>
        await page.Request(request).EvaluateAsync("card => card.scrollIntoView({ block: 'center', behavior: 'instant' })");
}
