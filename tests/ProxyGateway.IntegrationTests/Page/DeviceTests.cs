using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>What operators see of devices, and take back.</summary>
[Collection(PageTests.Name)]
public sealed class DeviceTests(Chromium chromium)
{
    private static readonly LocatorWaitForOptions Gone = new() { State = WaitForSelectorState.Detached };

    private readonly ServingProgram _gateway = chromium.Gateway;

    [Fact]
    public async Task A_removal_closes_the_devices_live_connection()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync(fragment: "#devices");
        var device = new TestDevice();
        Outcome connected = await _gateway.ConnectAsync(device, new Ask());
        connected.ShouldBeAdmitted();
        ILocator row = page.Device(device);
        await row.GetByText("1 live").WaitForAsync();

        await OperatorsPage.Button(row, "Remove…").ClickAsync();
        (await page.Dialog.TextContentAsync()).ShouldNotBeNull().ShouldContain("Its sessions are closed now: 1 here, and those at other gateways.");
        await OperatorsPage.Button(page.Dialog, "Cancel").And(page.Tab.Locator(":focus")).WaitForAsync();
        await OperatorsPage.Button(page.Dialog, "Remove device").ClickAsync();

        Frame close = await connected.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "device removed"));
        await row.WaitForAsync(Gone);
        (await _gateway.ConnectAsync(device, new Ask())).ShouldRequirePairing("not-paired");
    }

    [Fact]
    public async Task Nothing_happens_to_a_device_that_somebody_else_has_changed_meanwhile()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        await page.SignInAsync(fragment: "#devices");
        ILocator row = page.Device(device);
        await OperatorsPage.Button(row, "Remove…").ClickAsync();
        using HttpResponseMessage named = await _gateway.SendAsync(HttpMethod.Put, $"/admin/v1/devices/{device.Id}/label", new { label = "Laptop of Ann" });

        page.Expect("status of 412");
        await OperatorsPage.Button(page.Dialog, "Remove device").ClickAsync();

        await page.Notices.GetByText("Somebody else changed this device meanwhile. Nothing was done; look at it again.").WaitForAsync();
        await page.Dialog.WaitForAsync(Gone);
        await row.GetByText("Laptop of Ann").WaitForAsync();
        (await _gateway.ConnectAsync(device, new Ask())).ShouldBeAdmitted();
    }

    [Fact]
    public async Task A_grant_of_another_agent_is_shown_with_its_audience_and_changed_there_alone()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        using HttpResponseMessage granted = await _gateway.SendAsync(HttpMethod.Put, $"/admin/v1/devices/{device.Id}/grants/agent-2/operator", new { scopes = new[] { "operator.read", "operator.write" } });
        await page.SignInAsync(fragment: "#devices");
        ILocator row = page.Device(device);
        (await row.Locator(".grants code.role").AllTextContentsAsync()).ShouldBe(["operator", "agent-2/operator"]);

        await OperatorsPage.Button(row, "Narrow agent-2/operator").ClickAsync();
        await page.Dialog.GetByLabel("operator.write").UncheckAsync();
        await OperatorsPage.Button(page.Dialog, "Save").ClickAsync();
        await row.Locator(".grants code", new LocatorLocatorOptions { HasText = "operator.write" }).WaitForAsync(Gone);
        await OperatorsPage.Button(row, "Take agent-2/operator away").ClickAsync();
        await OperatorsPage.Button(page.Dialog, "Take away").ClickAsync();

        await row.GetByText("agent-2/operator").WaitForAsync(Gone);
        (await row.Locator(".grants code.role").AllTextContentsAsync()).ShouldBe(["operator"]);
        (await _gateway.ConnectAsync(device, new Ask())).ShouldBeAdmitted();
        await page.GoAsync($"#audit/{device.Id}");
        await page.Tab.GetByText("agent-2/operator").First.WaitForAsync();
    }

    [Fact]
    public async Task Narrowing_a_grant_closes_the_session_that_used_it()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.SignInAsync(fragment: "#devices");
        var device = new TestDevice();
        var ask = new Ask { Scopes = ["operator.pairing", "operator.read"] };
        Outcome connected = await _gateway.ConnectAsync(device, ask);
        connected.ShouldBeAdmitted();
        ILocator row = page.Device(device);

        await OperatorsPage.Button(row, "Narrow operator").ClickAsync();
        await page.Dialog.GetByLabel("operator.pairing").UncheckAsync();
        await page.Dialog.GetByText("It loses 1 scope.").WaitForAsync();
        await OperatorsPage.Button(page.Dialog, "Save").ClickAsync();

        (await connected.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("grant revoked");
        await row.Locator(".grants code", new LocatorLocatorOptions { HasText = "operator.pairing" }).WaitForAsync(Gone);
        (await row.Locator(".scopes code").AllTextContentsAsync()).ShouldBe(["operator.read"]);
        (await _gateway.ConnectAsync(device, ask)).IsAdmitted.ShouldBeFalse();
        (await _gateway.ConnectAsync(device, ask with { Scopes = ["operator.read"] })).ShouldBeAdmitted();
    }

    [Fact]
    public async Task The_card_shows_who_approved_which_scopes()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        await page.SignInAsync(fragment: "#devices");
        ILocator by = page.Device(device).Locator(".grants .by");
        (await by.TextContentAsync()).ShouldStartWith("by rule loopback ");

        using HttpResponseMessage set = await _gateway.SendAsync(HttpMethod.Put, $"/admin/v1/devices/{device.Id}/grants/operator", new { scopes = new[] { "operator.read" } });
        (await _gateway.ConnectAsync(device, new Ask { Scopes = ["operator.write"] })).ShouldBeAdmitted();

        await by.GetByText("; operator.write by rule loopback").WaitForAsync();
        (await by.TextContentAsync()).ShouldStartWith("by ops; operator.write by rule loopback ");
    }

    [Fact]
    public async Task A_role_is_revoked()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        await page.SignInAsync(fragment: "#devices");

        await OperatorsPage.Button(page.Device(device), "Take operator away").ClickAsync();
        await OperatorsPage.Button(page.Dialog, "Take away").ClickAsync();

        await page.Device(device).WaitForAsync(Gone);
        (await _gateway.ConnectAsync(device, new Ask())).IsAdmitted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_device_is_labelled_blocked_and_unblocked()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        await page.SignInAsync(fragment: "#devices");
        ILocator row = page.Device(device);

        await OperatorsPage.Button(row, "Name…").ClickAsync();
        await page.Dialog.GetByLabel("Name").FillAsync("Phone of Bob");
        await page.Tab.Keyboard.PressAsync("Enter");
        await row.GetByRole(AriaRole.Heading, new LocatorGetByRoleOptions { Name = "Phone of Bob" }).WaitForAsync();
        await OperatorsPage.Button(row, "Rename…").And(page.Tab.Locator(":focus")).WaitForAsync();

        await OperatorsPage.Button(row, "Block…").ClickAsync();
        await page.Dialog.GetByLabel("Why, for other operators (optional)").FillAsync("lost on a train");
        await OperatorsPage.Button(page.Dialog, "Block device").ClickAsync();
        await row.GetByText("lost on a train").WaitForAsync();
        (await _gateway.ConnectAsync(device, new Ask())).ShouldBeClosed(1008, "device blocked");

        await OperatorsPage.Button(row, "Lift block…").ClickAsync();
        await OperatorsPage.Button(page.Dialog, "Lift block").ClickAsync();
        await OperatorsPage.Button(row, "Block…").WaitForAsync();
        (await _gateway.ConnectAsync(device, new Ask())).ShouldBeAdmitted();

        await OperatorsPage.Button(row, "Rename…").ClickAsync();
        await page.Dialog.GetByLabel("Name").FillAsync("");
        await OperatorsPage.Button(page.Dialog, "Save").ClickAsync();
        await OperatorsPage.Button(row, "Name…").WaitForAsync();
    }

    [Fact]
    public async Task A_dialog_that_is_left_with_Escape_does_nothing()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        TestDevice device = await _gateway.PairAsync();
        await page.SignInAsync(fragment: "#devices");

        await OperatorsPage.Button(page.Device(device), "Remove…").ClickAsync();
        await page.Tab.Keyboard.PressAsync("Escape");

        await page.Dialog.WaitForAsync(Gone);
        await OperatorsPage.Button(page.Device(device), "Remove…").And(page.Tab.Locator(":focus")).WaitForAsync();
        (await _gateway.ConnectAsync(device, new Ask())).ShouldBeAdmitted();
    }

    [Fact]
    public async Task Devices_are_found_by_name_and_id_and_shown_page_by_page()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        var devices = new List<TestDevice>();
        for (int i = 0; i < 60; i++)
            devices.Add(new TestDevice());
        using HttpResponseMessage imported = await gateway.SendAsync(HttpMethod.Post, "/admin/v1/devices/import", new
        {
            devices = devices.Select((d, i) => new { publicKey = d.PublicKey, label = $"No. {i}", grants = new { node = new { scopes = new[] { "camera.use" } } } }),
        });
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        await page.SignInAsync(fragment: "#devices");
        await page.Tab.GetByText("50 devices so far").WaitForAsync();

        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Show more" }).ClickAsync();
        await page.Tab.GetByText("60 devices", new PageGetByTextOptions { Exact = true }).WaitForAsync();
        ILocator search = page.Tab.GetByRole(AriaRole.Searchbox);
        await search.FillAsync("no. 59");
        await page.Tab.GetByText("1 of 60 devices").WaitForAsync();
        (await page.Device(devices[59]).IsVisibleAsync()).ShouldBeTrue();
        await search.FillAsync(devices[7].Id.ToString()[..12]);
        await page.Device(devices[7]).WaitForAsync();
        await search.FillAsync("nothing like it");
        await page.Tab.GetByText("None of these").WaitForAsync();
    }
}
