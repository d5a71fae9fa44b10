using System.Net;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Admin;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>Who gets to see what, and what the page does when there is nothing to see.</summary>
[Collection(PageTests.Name)]
public sealed class AccessTests(Chromium chromium)
{
    private readonly ServingProgram _gateway = chromium.Gateway;

    [Theory]
    [InlineData("wrong-key-wrong-key-wrong-key-wrong-key")]
    [InlineData("schlüssel")]
    public async Task After_a_wrong_key_the_page_asks_again(string key)
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.GoAsync();
        ILocator field = page.Tab.GetByLabel("Key", new PageGetByLabelOptions { Exact = true });
        await field.FillAsync(key);
        page.Expect("status of 401");
        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Sign in" }).ClickAsync();

        (await page.Tab.GetByRole(AriaRole.Alert).TextContentAsync()).ShouldBe("This key does not count here, or no longer.");
        (await page.Tab.Locator("#bar").IsVisibleAsync()).ShouldBeFalse();
        await field.FillAsync(ServingProgram.Approver);
        await page.Tab.Keyboard.PressAsync("Enter");
        await page.Tab.Locator("#bar").WaitForAsync();
    }

    [Fact]
    public async Task The_key_is_kept_for_this_tab_until_signing_out()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        (await page.Tab.Locator("#me").TextContentAsync()).ShouldBe("ops approver");

        await page.Tab.ReloadAsync();
        await page.Tab.Locator("#link-state.live").WaitForAsync();
        IPage other = await page.Tab.Context.NewPageAsync();
        await other.GotoAsync(page.Tab.Url);
        await other.Locator("#sign-in").WaitForAsync();

        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Sign out" }).ClickAsync();
        await page.Tab.Locator("#key:focus").WaitForAsync();
        (await page.Tab.EvaluateAsync<int>("() => sessionStorage.length + localStorage.length + document.cookie.length")).ShouldBe(0);
        (await page.Tab.Locator(".card").CountAsync()).ShouldBe(0);
        (await page.Tab.TitleAsync()).ShouldBe("ProxyGateway");
        await page.Tab.ReloadAsync();
        await page.Tab.Locator("#sign-in").WaitForAsync();
    }

    [Fact]
    public async Task A_key_that_became_invalid_leads_back_to_the_form()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync();
        await page.Tab.RouteAsync("**/admin/v1/devices*", route => route.FulfillAsync(new RouteFulfillOptions { Status = 401 }));

        page.Expect("status of 401");
        await page.ShowAsync("Devices");

        (await page.Tab.GetByRole(AriaRole.Alert).TextContentAsync()).ShouldBe("This key does not count here, or no longer.");
        await page.Tab.Locator("#key:focus").WaitForAsync();
        (await page.Tab.EvaluateAsync<int>("() => sessionStorage.length")).ShouldBe(0);
    }

    [Fact]
    public async Task A_viewer_sees_everything_and_has_no_buttons_to_decide()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        string request = await _gateway.AskAsync(device, new Ask { Role = "node", Scopes = ["a", "b"] });
        await page.SignInAsync(ServingProgram.Viewer);

        await page.Request(request).WaitForAsync();
        (await page.Request(request).Locator("button, input, select").CountAsync()).ShouldBe(0);
        (await page.Request(request).Locator(".scopes.added").TextContentAsync()).ShouldBe("ab");
        await page.ShowAsync("Devices");
        await page.Device(device).WaitForAsync();
        (await page.Device(device).Locator("button, input, select").CountAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task An_empty_list_says_that_it_is_empty()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        await page.SignInAsync();

        await page.Tab.GetByText("Nobody is waiting").WaitForAsync();
        (await page.Tab.TitleAsync()).ShouldBe("Requests · ProxyGateway");
        await page.ShowAsync("Devices");
        await page.Tab.GetByText("No devices yet").WaitForAsync();
        await page.ShowAsync("Audit");
        await page.Tab.GetByText("Nothing has happened yet").WaitForAsync();
    }

    [Fact]
    public async Task Without_an_audit_the_page_polls_every_few_seconds()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync("--Registry:AuditEntries=0");
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        page.Expect("status of 404");
        await page.SignInAsync();
        (await page.Tab.Locator("#link-state").TextContentAsync()).ShouldBe("Looking every few seconds");

        string request = await gateway.AskAsync(new TestDevice(), new Ask(), isRemote: true);

        await page.Request(request).WaitForAsync();
        await page.ShowAsync("Audit");
        await page.Tab.Locator("#audit").GetByText("This gateway keeps no audit").WaitForAsync();
    }

    [Fact]
    public async Task With_too_many_streams_the_page_polls_as_well()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        page.Expect("status of 429");
        await page.Tab.RouteAsync("**/admin/v1/events", route => route.FulfillAsync(new RouteFulfillOptions
        {
            Status = 429,
            ContentType = "application/problem+json",
            Body = """{"type":"urn:proxygateway:problem:too-many-streams","title":"x","status":429}""",
        }));
        await page.SignInAsync();

        string request = await _gateway.AskAsync(new TestDevice(), new Ask(), isRemote: true);

        await page.Request(request).WaitForAsync();
    }

    [Fact]
    public async Task While_the_gateway_is_down_the_page_says_so_and_reconnects_by_itself()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        page.Expect("ERR_CONNECTION_REFUSED");
        page.Expect("ERR_INCOMPLETE_CHUNKED_ENCODING");
        page.Expect("ERR_CONNECTION_RESET");
        page.Expect("ERR_EMPTY_RESPONSE");
        await page.SignInAsync();

        await gateway.StopGatewayAsync();
        await page.Tab.Locator("#link-state.away").WaitForAsync();
        await page.ShowAsync("Devices");
        await page.Tab.Locator("#devices").GetByText("The gateway does not answer. It may be restarting, or the connection is down.").WaitForAsync();

        string? lastEventId = null;
        page.Tab.Request += (_, sent) => lastEventId = sent.Url.EndsWith("/events", StringComparison.Ordinal) ? sent.Headers.GetValueOrDefault("last-event-id") : lastEventId;
        await gateway.StartGatewayAsync();
        await page.Tab.Locator("#link-state.live").WaitForAsync();
        lastEventId.ShouldNotBeNull();
        string request = await gateway.AskAsync(new TestDevice(), new Ask(), isRemote: true);
        await page.ShowAsync("Requests");
        await page.Request(request).WaitForAsync();
    }

    [Fact]
    public async Task A_server_in_the_gateways_place_does_not_get_the_key()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        page.Expect("ERR_");
        page.Expect("status of 401");
        await page.SignInAsync();
        await gateway.StopGatewayAsync();

        using (var impostor = new Impostor(gateway.Admin.Port, request => request.StartsWith("POST", StringComparison.Ordinal) ? "401 Unauthorized {}" : "200 OK {}"))
        {
            await page.Tab.Locator("#link-state.unknown").WaitForAsync();
            await page.ShowAsync("Devices");
            await page.Tab.Locator("#devices").GetByText("Something else than the gateway answers at this address").WaitForAsync();
            impostor.Heard.ShouldNotBeEmpty();
            impostor.Heard.ShouldAllBe(r => !r.Contains("Authorization", StringComparison.OrdinalIgnoreCase) && !r.Contains(ServingProgram.Approver));
        }

        await gateway.StartGatewayAsync();
        await page.Tab.Locator("#link-state.live").WaitForAsync();
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("gateway.localhost")]
    public async Task Opened_by_name_the_page_leads_to_the_literal_address(string name)
    {
        await using OperatorsPage page = await chromium.OpenAsync();

        await page.Tab.GotoAsync($"http://{name}:{_gateway.Admin.Port}/#devices");

        await page.Tab.Locator("#sign-in").WaitForAsync();
        page.Tab.Url.ShouldBe($"{_gateway.Admin}#devices");
        page.Expect("asked elsewhere: http://" + name);
    }

    [Fact]
    public async Task Behind_another_port_the_page_says_why_it_does_not_send_the_key()
    {
        await using var relay = new Relay(IPAddress.Loopback, 0, _gateway.Admin);
        await using OperatorsPage page = await chromium.OpenAsync(relay.Url);
        page.Expect("status of 403");
        await page.GoAsync();
        await page.Tab.GetByLabel("Key", new PageGetByLabelOptions { Exact = true }).FillAsync(ServingProgram.Approver);
        await page.Tab.Keyboard.PressAsync("Enter");

        (await page.Tab.GetByRole(AriaRole.Alert).TextContentAsync())!.ShouldContain("The key is sent only to the address and port at which the gateway listens");
        relay.Heard.ShouldNotContain(ServingProgram.Approver);
    }

    [Fact]
    public async Task While_the_registry_is_unavailable_the_page_says_what_that_means()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        page.Expect("status of 503");
        bool isAway = true;
        await page.Tab.RouteAsync("**/admin/v1/requests*", route => isAway
            ? route.FulfillAsync(new RouteFulfillOptions
            {
                Status = 503,
                ContentType = "application/problem+json",
                Body = """{"type":"urn:proxygateway:problem:registry-unavailable","title":"x","status":503}""",
            })
            : route.ContinueAsync());
        await page.SignInAsync();

        await page.Tab.GetByText("The registry is away: nothing was changed, and nobody new gets in. Try again in a moment.").WaitForAsync();
        isAway = false;
        await page.Tab.Locator("#requests .failed").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
    }
}
