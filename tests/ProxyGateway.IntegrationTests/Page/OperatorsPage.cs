using Microsoft.Playwright;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>
/// The page in a tab, as an operator uses it. Whatever the browser complains of, asks for elsewhere or puts up by itself is collected, and fails
/// the test at its end.
/// </summary>
internal sealed class OperatorsPage : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly Uri _origin;
    private readonly List<string> _complaints = [];
    private readonly List<string> _expected = [];

    private OperatorsPage(IBrowserContext context, IPage tab, Uri origin)
    {
        _context = context;
        _origin = origin;
        Tab = tab;
        tab.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                Complain($"{message.Type}: {message.Text}");
        };
        tab.PageError += (_, error) => Complain("uncaught: " + error);
        tab.Dialog += (_, dialog) =>
        {
            Complain($"{dialog.Type}: {dialog.Message}");
            _ = dialog.DismissAsync();
        };
        context.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(origin.AbsoluteUri, StringComparison.Ordinal))
                Complain("asked elsewhere: " + request.Url);
        };
    }

    public IPage Tab { get; }

    public ILocator Notices => Tab.Locator("#notices");

    public ILocator Dialog => Tab.Locator("dialog[open]");

    public static async Task<OperatorsPage> OpenAsync(IBrowserContext context, Uri origin)
    {
        context.SetDefaultTimeout((float)Eventually.Patience.TotalMilliseconds);
        IPage tab = await context.NewPageAsync();
        return new OperatorsPage(context, tab, origin);
    }

    /// <summary>Goes to the page.</summary>
    public Task GoAsync(string fragment = "") => Tab.GotoAsync(new Uri(_origin, "/" + fragment).AbsoluteUri);

    /// <summary>Goes there and signs in.</summary>
    public async Task SignInAsync(string key = ServingProgram.Approver, string fragment = "")
    {
        await GoAsync(fragment);
        await Tab.GetByLabel("Key", new PageGetByLabelOptions { Exact = true }).FillAsync(key);
        await Tab.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Sign in" }).ClickAsync();
        await Tab.Locator("#bar").WaitForAsync();
        await Tab.Locator("#link-state.live, #link-state.polling").WaitForAsync();
    }

    /// <summary>Shows another view.</summary>
    public Task ShowAsync(string view) => Tab.Locator($".tabs a[href='#{view.ToLowerInvariant()}']").ClickAsync();

    /// <summary>The card of a request.</summary>
    public ILocator Request(string id) => Tab.Locator($"[data-request='{id}']");

    /// <summary>The card of a device.</summary>
    public ILocator Device(TestDevice device) => Tab.Locator($"[data-device='{device.Id}']");

    public static ILocator Button(ILocator within, string name) =>
        within.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = name, Exact = true });

    /// <summary>Nothing is wider than the screen.</summary>
    public async Task ShouldFitAsync()
    {
        int[] widths = await Tab.EvaluateAsync<int[]>("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]");
        widths[0].ShouldBeLessThanOrEqualTo(widths[1]);
    }

    /// <summary>The browser may complain of this in this test: of a status that is answered on purpose, say.</summary>
    public void Expect(string complaint) => _expected.Add(complaint);

    public string[] Complaints
    {
        get
        {
            lock (_complaints)
                return [.. _complaints];
        }
    }

    /// <summary>A picture of what is shown, for people.</summary>
    public async Task PictureAsync(string name, bool isWhole = false)
    {
        await Tab.EvaluateAsync("() => document.fonts.ready");
        await Tab.ScreenshotAsync(new PageScreenshotOptions
        {
            Path = Path.Combine(Pictures, name + ".png"),
            FullPage = isWhole,
            Animations = ScreenshotAnimations.Disabled,
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _context.DisposeAsync();
        Complaints.Where(c => !_expected.Exists(c.Contains)).ShouldBeEmpty();
    }

    private void Complain(string complaint)
    {
        lock (_complaints)
            _complaints.Add(complaint);
    }

    private static string Pictures
    {
        get
        {
            DirectoryInfo? root = new(AppContext.BaseDirectory);
            while (root is not null && !File.Exists(Path.Combine(root.FullName, "ProxyGateway.sln")))
                root = root.Parent;
            return Path.Combine(root?.FullName ?? AppContext.BaseDirectory, "artifacts", "screenshots");
        }
    }
}
