using System.Globalization;
using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class RateLimitTests
{
    [Fact]
    public async Task Each_operator_has_a_bucket_of_his_own()
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
    public async Task Paths_that_are_not_there_and_what_may_not_be_done_count_too()
    {
        await using TestAdmin admin = await StartAsync(burst: 2);

        (await admin.GetAsync("/nothing", TestAdmin.Viewer)).Status.ShouldBe(404);
        (await admin.PostAsync("/admin/v1/requests/x/reject", TestAdmin.Viewer)).Status.ShouldBe(403);
        (await admin.GetAsync("/admin/v1/me", TestAdmin.Viewer)).Status.ShouldBe(429);
    }

    [Fact]
    public async Task What_needs_no_key_is_not_limited()
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
    public async Task It_is_generous()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        Answer[] answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => admin.GetAsync("/admin/v1/me")));

        answers.ShouldAllBe(a => a.Status == 200);
    }

    [Theory]
    [InlineData("/admin/v1/requests/x/approve")]
    [InlineData("/admin/v1/requests/x/reject")]
    [InlineData("/nothing")]
    public async Task A_body_is_bounded(string path)
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        string json = $$"""{"scopes":["{{new string('a', 65 * 1024)}}"]}""";

        Answer answer = await admin.SendAsync(HttpMethod.Post, path, json: json);

        answer.Status.ShouldBeOneOf(404, 413);
        if (path.EndsWith("approve", StringComparison.Ordinal))
            answer.ShouldBeProblem(413, "body-too-large");
    }

    private static Task<TestAdmin> StartAsync(int burst) => TestAdmin.StartAsync(
        configure: services => services.AddSingleton(new AdminRateLimit(burst, Refill: 1, TimeSpan.FromHours(1))));
}
