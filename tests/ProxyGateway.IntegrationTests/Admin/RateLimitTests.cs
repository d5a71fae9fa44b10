using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class RateLimitTests
{
    [Fact]
    public async Task Each_operator_has_a_separate_budget()
    {
        await using TestAdmin admin = await StartAsync(burst: 3);

        for (int i = 0; i < 3; i++)
            (await admin.GetAsync("/admin/v1/devices", TestAdmin.Approver)).Status.ShouldBe(200);
        Answer refused = await admin.GetAsync("/admin/v1/devices", TestAdmin.Approver);

        refused.ShouldBeProblem(429, "too-many-requests");
        int.Parse(refused.Headers["Retry-After"], CultureInfo.InvariantCulture).ShouldBeInRange(1, 3600);
        (await admin.GetAsync("/admin/v1/me", TestAdmin.Viewer)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Unknown_paths_and_forbidden_requests_count_too()
    {
        await using TestAdmin admin = await StartAsync(burst: 2);

        (await admin.GetAsync("/nothing", TestAdmin.Viewer)).Status.ShouldBe(404);
        (await admin.PostAsync("/admin/v1/requests/x/reject", TestAdmin.Viewer)).Status.ShouldBe(403);
        (await admin.GetAsync("/admin/v1/me", TestAdmin.Viewer)).Status.ShouldBe(429);
    }

    [Fact]
    public async Task Requests_that_need_no_key_are_not_limited()
    {
        await using TestAdmin admin = await StartAsync(burst: 1);

        for (int i = 0; i < 5; i++)
        {
            (await admin.GetAsync("/healthz", TestAdmin.Approver)).Status.ShouldBe(200);
            (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
            (await admin.GetAsync("/openapi/v1.json", TestAdmin.Approver)).Status.ShouldBe(200);
        }

        (await admin.GetAsync("/admin/v1/me")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_stream_of_events_counts_once()
    {
        await using TestAdmin admin = await StartAsync(burst: 2);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/v1/events");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TestAdmin.Approver);
        using HttpResponseMessage stream = await admin.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        (await admin.GetAsync("/admin/v1/me")).Status.ShouldBe(200);
        (await admin.GetAsync("/admin/v1/me")).Status.ShouldBe(429);
    }

    [Fact]
    public async Task Two_hundred_requests_at_once_are_answered()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        Answer[] answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => admin.GetAsync("/admin/v1/me")));

        answers.ShouldAllBe(a => a.Status == 200);
    }

    [Fact]
    public async Task A_body_is_bounded_even_if_an_endpoint_sets_no_bound()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(TimeProvider.System).AddSingleton(typeof(PacedLogger<>));
        await using WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.UseMiddleware<AdminRequestGuard>(new AdminOptions());
        app.Run(async context => await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted));
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        using HttpResponseMessage most = await client.PostAsync(new Uri("/", UriKind.Relative), new ByteArrayContent(new byte[64 * 1024]));
        using HttpResponseMessage more = await client.PostAsync(new Uri("/", UriKind.Relative), new ByteArrayContent(new byte[(64 * 1024) + 1]));

        most.StatusCode.ShouldBe(HttpStatusCode.OK);
        more.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await more.Content.ReadAsStringAsync()).ShouldContain("body-too-large");
    }

    private static Task<TestAdmin> StartAsync(int burst) => TestAdmin.StartAsync(
        configure: services => services.AddSingleton(new AdminRateLimit(burst, Refill: 1, TimeSpan.FromHours(1))));
}
