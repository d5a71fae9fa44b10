using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class AdminRegistryDownTests
{
    private static readonly string Device = new('0', 64);
    private const string Request = "01m81yeyz0ey1d4nngq3jdef2x";

    [Fact]
    public async Task A_registry_that_does_not_answer_is_503_and_not_404()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(new FailingStore(() => new RegistryUnavailableException("down: secret host")));

        Answer[] answers =
        [
            await admin.GetAsync("/admin/v1/requests"),
            await admin.GetAsync($"/admin/v1/requests/{Request}"),
            await admin.PostAsync($"/admin/v1/requests/{Request}/approve"),
            await admin.PostAsync($"/admin/v1/requests/{Request}/reject"),
            await admin.GetAsync("/admin/v1/devices"),
            await admin.GetAsync($"/admin/v1/devices/{Device}"),
            await admin.DeleteAsync($"/admin/v1/devices/{Device}"),
            await admin.GetAsync("/readyz", key: null),
        ];

        foreach (Answer answer in answers)
        {
            answer.ShouldBeProblem(503, "registry-unavailable");
            answer.Text.ShouldNotContain("secret");
            answer.Headers.Keys.ShouldContain("Retry-After");
        }
    }

    [Fact]
    public async Task An_unconfirmed_change_is_503_and_says_that_it_was_made()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(new FailingStore(() => new RegistryUnavailableException("0 of 1") { ChangeWasMade = true }));

        Answer answer = await admin.DeleteAsync($"/admin/v1/devices/{Device}");

        answer.ShouldBeProblem(503, "not-confirmed");
        answer.Headers.Keys.ShouldContain("Retry-After");
    }

    [Fact]
    public async Task While_the_registry_is_down_healthz_is_200()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(new FailingStore(() => new RegistryUnavailableException("down")));

        Answer answer = await admin.GetAsync("/healthz", key: null);

        answer.Status.ShouldBe(200);
    }

    [Fact]
    public async Task With_a_registry_readyz_is_200_without_a_key()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task An_unexpected_failure_is_500_without_details()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(new FailingStore(() => new InvalidOperationException("secret")));

        Answer answer = await admin.GetAsync("/admin/v1/devices");

        answer.ShouldBeProblem(500, "internal-error");
        answer.Text.ShouldNotContain("secret");
        answer.Headers["Cache-Control"].ShouldBe("no-store");
    }

    [Theory]
    [InlineData(304)]
    [InlineData(305)]
    public async Task Requests_that_fail_one_after_the_other_do_not_fill_the_log(int id)
    {
        using var log = new CapturedLog();
        Func<Exception> failure = id == 304 ? () => new RegistryUnavailableException("down") : () => new InvalidOperationException("a bug");
        await using TestAdmin admin = await TestAdmin.StartAsync(
            new FailingStore(failure), configure: services => services.AddSingleton<ILoggerProvider>(log));

        for (int i = 0; i < 40; i++)
            (await admin.GetAsync("/admin/v1/devices")).Status.ShouldBe(id == 304 ? 503 : 500);

        log.Of(id).Count().ShouldBe(30);
    }
}
