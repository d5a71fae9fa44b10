using Microsoft.Playwright;
using QRCoder;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>How operators invite a device: what it needs is shown once, and can be withdrawn.</summary>
[Collection(PageTests.Name)]
public sealed class InvitationViewTests(Chromium chromium)
{
    private const string Gate = "https://gate.example/mcp";

    [Fact]
    public async Task An_invitation_is_made_shown_once_and_withdrawn()
    {
        await using OperatorsPage page = await chromium.OpenAsync(configure: options => options.ViewportSize = new ViewportSize { Width = 360, Height = 740 });
        await page.SignInAsync(fragment: "#invitations");
        await page.ShouldFitAsync();
        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Invite…" }).ClickAsync();
        await page.Dialog.GetByLabel("Address of the agent").FillAsync(Gate);
        await page.Dialog.GetByLabel("Audience").FillAsync("tools");
        await page.Dialog.GetByLabel("Scopes").FillAsync("mcp.call mcp.list");
        await page.Dialog.GetByLabel("The grant holds").SelectOptionAsync("for 30 days");
        await page.ShouldFitAsync();
        await OperatorsPage.Button(page.Dialog, "Invite").ClickAsync();

        ILocator address = page.Dialog.GetByLabel("The invitation’s address");
        string text = await address.InputValueAsync();
        text.ShouldStartWith(Gate + "#invitation=");
        text.ShouldEndWith("&role=client&scopes=mcp.call,mcp.list");
        (await page.Dialog.Locator("svg.qr").GetAttributeAsync("viewBox")).ShouldNotBeNull();
        await page.ShouldFitAsync();
        await page.PictureAsync("phone-light-invitation");
        await OperatorsPage.Button(page.Dialog, "Done").ClickAsync();
        await page.Dialog.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        string secret = text.Split("invitation=")[1].Split('&')[0];
        (await page.Tab.ContentAsync()).ShouldNotContain(secret);

        ILocator card = page.Tab.Locator("[data-invitation]");
        await card.GetByText("used 0 of 1").WaitForAsync();
        (await card.TextContentAsync()).ShouldNotBeNull().ShouldContain("tools/client");
        (await card.TextContentAsync()).ShouldNotBeNull().ShouldContain("for 30 days");
        await OperatorsPage.Button(card, "Withdraw…").ClickAsync();
        await OperatorsPage.Button(page.Dialog, "Withdraw").ClickAsync();
        await page.Tab.GetByText("Nobody is invited").WaitForAsync();

        await page.ShowAsync("Audit");
        await page.Tab.Locator(".entry", new PageLocatorOptions { HasText = "Invitation withdrawn" }).First.WaitForAsync();
    }

    [Fact]
    public async Task A_viewer_sees_invitations_and_makes_none()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        using HttpResponseMessage made = await chromium.Gateway.SendAsync(HttpMethod.Post, "/admin/v1/invitations", new { role = "node", uses = 3 });
        await page.SignInAsync(ServingProgram.Viewer, "#invitations");
        await page.Tab.Locator("[data-invitation]", new PageLocatorOptions { HasText = "used 0 of 3" }).WaitForAsync();
        (await page.Tab.Locator("#invitations button").CountAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task What_a_key_may_not_grant_is_refused_where_the_operator_looks()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        page.Expect("403");
        await page.SignInAsync(ServingProgram.Limited, "#invitations");
        await page.Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Invite…" }).ClickAsync();
        await page.Dialog.GetByLabel("Role").FillAsync("node");
        await OperatorsPage.Button(page.Dialog, "Invite").ClickAsync();
        await page.Dialog.Locator(".error").GetByText("may not grant as much").WaitForAsync();
    }

    /// <summary>Module by module what another library makes of it: a reader that reads that reads ours.</summary>
    [Fact]
    public async Task A_QR_code_is_that_of_another_library()
    {
        await using OperatorsPage page = await chromium.OpenAsync();
        await page.GoAsync();
        foreach (int length in new[] { 10, 17, 18, 77, 106, 150, 192, 230, 400, 800 }) // versions 1 to 19
        {
            string text = (Gate + "#invitation=" + string.Concat(Enumerable.Repeat("q4cJx3m5-", 100)))[..length];
            using QRCodeData data = QRCodeGenerator.GenerateQrCode(text, QRCodeGenerator.ECCLevel.L);
            int size = data.ModuleMatrix.Count - 8; // without the quiet zone
            string expected = string.Join('\n', Enumerable.Range(4, size).Select(y => string.Concat(Enumerable.Range(4, size).Select(x => data.ModuleMatrix[y][x] ? '1' : '0'))));

            string[] codes = await page.Tab.EvaluateAsync<string[]>(
                """
                async (text) => {
                  const { qrCode } = await import("/page/qr.js");
                  return [0, 1, 2, 3, 4, 5, 6, 7, undefined].map((mask) => qrCode(text, mask).map((row) => row.map((dark) => dark ? "1" : "0").join("")).join("\n"));
                }
                """,
                text);

            codes[..8].ShouldContain(expected, $"of {length} bytes; which of the eight masks reads best is a matter of taste");
            codes[..8].ShouldContain(codes[8]);
        }
    }
}
