using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>Pictures of a day's page in <c>artifacts/screenshots</c>, for people to look at; and that nothing is wider than the screen.</summary>
[Collection(PageTests.Name)]
public sealed class PictureTests(Chromium chromium)
{
    [Fact]
    public async Task The_page_fits_wide_and_narrow_screens_light_and_dark()
    {
        await using ServingProgram gateway = await ServingProgram.StartAsync();
        await using Day day = await Day.BeginAsync(gateway);
        (string Name, int Width, int Height, ColorScheme Scheme)[] screens =
        [
            ("desktop-light", 1280, 800, ColorScheme.Light), ("desktop-dark", 1280, 800, ColorScheme.Dark),
            ("phone-light", 360, 740, ColorScheme.Light), ("phone-dark", 360, 740, ColorScheme.Dark),
        ];
        foreach ((string name, int width, int height, ColorScheme scheme) in screens)
        {
            await using OperatorsPage page = await chromium.OpenAsync(gateway, options =>
            {
                options.ViewportSize = new ViewportSize { Width = width, Height = height };
                options.ColorScheme = scheme;
                options.DeviceScaleFactor = width < 400 ? 2 : 1;
            });
            await page.GoAsync();
            await page.Tab.Locator("#key").WaitForAsync();
            await page.PictureAsync(name + "-sign-in");
            await page.SignInAsync();
            await page.Request(day.LastRequest).WaitForAsync();
            await page.ShouldFitAsync();
            await page.PictureAsync(name + "-requests", isWhole: true);

            await page.ShowAsync("Devices");
            ILocator laptop = page.Device(day.Laptop);
            await laptop.GetByText("1 live").WaitForAsync();
            await page.ShouldFitAsync();
            await page.PictureAsync(name + "-devices", isWhole: true);
            await OperatorsPage.Button(laptop, "Remove…").ClickAsync();
            await page.PictureAsync(name + "-dialog-remove");
            await OperatorsPage.Button(page.Dialog, "Cancel").ClickAsync();
            await OperatorsPage.Button(laptop, "Narrow operator").ClickAsync();
            await page.Dialog.GetByLabel("operator.pairing").UncheckAsync();
            await page.PictureAsync(name + "-dialog-narrow");
            await OperatorsPage.Button(page.Dialog, "Cancel").ClickAsync();

            await page.ShowAsync("Audit");
            await page.Tab.Locator(".entry").Nth(10).WaitForAsync();
            await page.ShouldFitAsync();
            await page.PictureAsync(name + "-audit", isWhole: width > 400);
        }
    }

    /// <summary>Devices and requests as an operator may find them.</summary>
    private sealed class Day(TestDevice laptop, string lastRequest, FrameConnection connection) : IAsyncDisposable
    {
        public TestDevice Laptop { get; } = laptop;

        public string LastRequest { get; } = lastRequest;

        public static async Task<Day> BeginAsync(ServingProgram gateway)
        {
            Ask laptopAsk = new() { Scopes = ["operator.pairing", "operator.read", "operator.write"], DisplayName = "Ann’s laptop", Platform = "macos", ClientId = "openclaw-macos", ClientMode = "ui" };
            TestDevice laptop = await gateway.PairAsync(laptopAsk);
            Ask phoneAsk = new() { DisplayName = "Pixel 9", Platform = "android", ClientId = "openclaw-android", ClientMode = "node" };
            TestDevice phone = await gateway.PairAsync(phoneAsk);
            TestDevice lost = await gateway.PairAsync(new Ask { DisplayName = "Old tablet", Platform = "ios", ClientId = "openclaw-ios", ClientMode = "node" });

            Ask node = phoneAsk with { Role = "node", Scopes = ["camera.use", "location.read", "screen.record"] };
            await ChangeAsync(gateway, HttpMethod.Post, $"requests/{await gateway.AskAsync(phone, node)}/approve", new { scopes = new[] { "camera.use" }, until = DateTimeOffset.UtcNow.AddDays(7) });
            await ChangeAsync(gateway, HttpMethod.Put, $"devices/{laptop.Id}/label", new { label = "Ann, laptop" });
            await ChangeAsync(gateway, HttpMethod.Put, $"devices/{lost.Id}/label", new { label = "Tablet of the front desk" });
            await ChangeAsync(gateway, HttpMethod.Put, $"devices/{lost.Id}/block", new { reason = "lost on the train, 25 November" });
            (await gateway.ConnectAsync(lost, new Ask())).IsAdmitted.ShouldBeFalse();
            Outcome connected = await gateway.ConnectAsync(laptop, laptopAsk);
            connected.ShouldBeAdmitted();

            await gateway.AskAsync(new TestDevice(), new Ask { DisplayName = "كمبيوتر المطبخ", Platform = "linux", ClientId = "cli", Scopes = ["operator.read"] }, isRemote: true);
            await gateway.AskAsync(laptop, laptopAsk with { Scopes = ["operator.admin", "operator.approvals", "operator.read"] }, isRemote: true);
            string last = await gateway.AskAsync(phone, node);
            return new Day(laptop, last, connected.Client);
        }

        public ValueTask DisposeAsync() => connection.DisposeAsync();

        private static async Task ChangeAsync(ServingProgram gateway, HttpMethod method, string path, object body)
        {
            using HttpResponseMessage response = await gateway.SendAsync(method, "/admin/v1/" + path, body);
        }
    }
}
