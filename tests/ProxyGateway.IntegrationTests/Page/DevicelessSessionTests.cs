using System.Security.Cryptography;
using System.Text;
using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>What operators see of clients without a device, and how they end one.</summary>
[Collection(PageTests.Name)]
public sealed class DevicelessSessionTests(Chromium chromium)
{
    [Fact]
    public async Task A_session_without_a_device_is_shown_with_its_user_and_ended()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync(
            $"--DeviceAuth:SharedToken:Sha256={Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("right")))}",
            "--DeviceAuth:Pairing:Deviceless:Users:0=self",
            "--DeviceAuth:Pairing:Deviceless:UpTo:operator:0=operator.write");
        await using OperatorsPage page = await chromium.OpenAsync(gateway);
        await page.SignInAsync(fragment: "#devices");
        Outcome connected = await gateway.ConnectAsync(new TestDevice(), new Ask { Token = "right" }.WithoutDevice());
        connected.ShouldBeAdmitted();
        ILocator card = page.Tab.Locator(".card", new PageLocatorOptions { HasText = "No device, user" });
        await card.GetByText("operator.read").WaitForAsync();

        await OperatorsPage.Button(card, "End…").ClickAsync();
        await OperatorsPage.Button(page.Dialog, "End session").ClickAsync();

        Frame close = await connected.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "ended by an operator"));
        await card.WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.Tab.GotoAsync(new Uri(gateway.Admin, "#audit").ToString());
        await page.Tab.Locator(".entry", new PageLocatorOptions { HasText = "Session ended by an operator" }).GetByText("no device, user").WaitForAsync();
    }
}
