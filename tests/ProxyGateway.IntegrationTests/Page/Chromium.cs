using Microsoft.Playwright;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>One browser and one gateway for all tests of the page. Each test has a context of its own in it, as a person with a fresh profile.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    internal ServingProgram Gateway { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Task<ServingProgram> gateway = ServingProgram.StartAsync();
        string path = Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_CHROMIUM") is { Length: > 0 } named ? named : "/usr/bin/chromium";
        File.Exists(path).ShouldBeTrue($"There is no {path}: install chromium, or name one in PROXYGATEWAY_TEST_CHROMIUM.");
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = path,
            Args = ["--no-sandbox"], // tests may run as root, and what is shown is ours
        });
        Gateway = await gateway;
    }

    public async Task DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await Gateway.DisposeAsync();
    }

    /// <summary>A new tab of somebody who has not been here before.</summary>
    /// <param name="gateway">Which gateway's page; the shared one's if none is named.</param>
    /// <param name="configure">The screen and the like.</param>
    internal Task<OperatorsPage> OpenAsync(ServingProgram? gateway = null, Action<BrowserNewContextOptions>? configure = null) =>
        OpenAsync((gateway ?? Gateway).Admin, configure);

    /// <summary>A new tab of somebody else, at any page.</summary>
    internal async Task<IPage> OpenPageAsync(Uri url)
    {
        IBrowserContext context = await _browser.NewContextAsync();
        IPage page = await context.NewPageAsync();
        await page.GotoAsync(url.ToString());
        return page;
    }

    /// <summary>The same, at another address.</summary>
    internal async Task<OperatorsPage> OpenAsync(Uri origin, Action<BrowserNewContextOptions>? configure = null)
    {
        var options = new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = 1280, Height = 800 } };
        configure?.Invoke(options);
        IBrowserContext context = await _browser.NewContextAsync(options);
        return await OperatorsPage.OpenAsync(context, origin);
    }
}

/// <summary>Tests of the page run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class PageTests : ICollectionFixture<Chromium>
{
    public const string Name = "The operators' page";
}
