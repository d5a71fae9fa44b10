using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class AdminAccessTests : IAsyncLifetime
{
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task Without_a_key_the_answer_says_nothing()
    {
        string id = new('0', 64);
        (HttpMethod Method, string Path)[] all =
        [
            (HttpMethod.Get, "/admin/v1/requests"), (HttpMethod.Get, "/admin/v1/requests/x"), (HttpMethod.Post, "/admin/v1/requests/x/approve"),
            (HttpMethod.Post, "/admin/v1/requests/x/reject"), (HttpMethod.Get, "/admin/v1/devices"), (HttpMethod.Get, $"/admin/v1/devices/{id}"),
            (HttpMethod.Delete, $"/admin/v1/devices/{id}"), (HttpMethod.Post, "/"), (HttpMethod.Get, "/page/nothing"), (HttpMethod.Get, "/nothing"), (HttpMethod.Put, "/admin/v1/requests"),
        ];
        foreach ((HttpMethod method, string path) in all)
        {
            Answer answer = await _admin.SendAsync(method, path, key: null);
            answer.ShouldBeProblem(401, "unauthorized");
            answer.Headers["WWW-Authenticate"].ShouldBe("Bearer");
        }
    }

    [Theory]
    [InlineData("Bearer", "wrong")]
    [InlineData("Bearer", TestAdmin.Approver + "x")]
    [InlineData("Bearer", "")]
    [InlineData("Basic", TestAdmin.Approver)]
    public async Task A_wrong_key_gets_the_same_answer_as_no_key(string scheme, string key)
    {
        Answer none = await _admin.GetAsync("/admin/v1/devices", key: null);
        Answer wrong = await _admin.SendAsync(HttpMethod.Get, "/admin/v1/devices", key: null, configure: r =>
            r.Headers.TryAddWithoutValidation("Authorization", $"{scheme} {key}"));

        (wrong.Status, wrong.Text, wrong.Headers["WWW-Authenticate"]).ShouldBe((401, none.Text, "Bearer"));
    }

    [Fact]
    public async Task A_viewer_reads_and_does_not_decide()
    {
        PairingRequest asked = await _admin.AskAsync(Some.Claim("operator", "operator.read"));
        DeviceId paired = await _admin.PairAsync(Some.Claim("operator"));

        (await _admin.GetAsync("/admin/v1/requests", TestAdmin.Viewer)).Status.ShouldBe(200);
        (await _admin.GetAsync($"/admin/v1/requests/{asked.Id}", TestAdmin.Viewer)).Status.ShouldBe(200);
        (await _admin.GetAsync("/admin/v1/devices", TestAdmin.Viewer)).Status.ShouldBe(200);
        (await _admin.GetAsync($"/admin/v1/devices/{paired}", TestAdmin.Viewer)).Status.ShouldBe(200);
        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", TestAdmin.Viewer)).ShouldBeProblem(403, "viewer-only");
        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/reject", TestAdmin.Viewer)).ShouldBeProblem(403, "viewer-only");
        (await _admin.DeleteAsync($"/admin/v1/devices/{paired}", TestAdmin.Viewer)).ShouldBeProblem(403, "viewer-only");
        (await _admin.GetAsync($"/admin/v1/devices/{paired}")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task An_unknown_path_is_answered_with_a_problem()
    {
        (await _admin.GetAsync("/nothing")).ShouldBeProblem(404, "not-found");
        (await _admin.GetAsync("/admin/v1")).ShouldBeProblem(404, "not-found");
        Answer wrongMethod = await _admin.DeleteAsync("/admin/v1/requests");
        wrongMethod.ShouldBeProblem(405, "method-not-allowed");
    }

    [Fact]
    public async Task Browsers_neither_store_an_answer_nor_guess_its_type()
    {
        foreach (string? key in new[] { TestAdmin.Approver, null })
        {
            foreach (string path in new[] { "/admin/v1/requests", "/admin/v1/devices", "/nothing", "/healthz" })
            {
                Answer answer = await _admin.GetAsync(path, key);
                answer.Headers["Cache-Control"].ShouldBe("no-store");
                answer.Headers["X-Content-Type-Options"].ShouldBe("nosniff");
                answer.Headers.Keys.ShouldNotContain("Set-Cookie");
            }
        }
    }

    [Theory]
    [InlineData("evil.example", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("127.0.0.1.nip.io", false)]
    [InlineData("localhost", true)]
    [InlineData("gateway.localhost:1234", true)]
    [InlineData("127.0.0.1:9090", true)]
    [InlineData("[::1]:9090", true)]
    public async Task Only_requests_to_the_listeners_own_names_are_answered(string host, bool answered)
    {
        Answer answer = await _admin.SendAsync(HttpMethod.Get, "/admin/v1/devices", configure: r => r.Headers.Host = host);

        if (answered)
            answer.Status.ShouldBe(200);
        else
            answer.ShouldBeProblem(403, "host-refused");
    }

    [Theory]
    [InlineData("http://evil.example")]
    [InlineData("null")]
    [InlineData("https://localhost:9090")]
    [InlineData("http://localhost:1")]
    [InlineData("")]
    public async Task A_page_of_another_origin_is_refused(string origin)
    {
        Answer answer = await _admin.SendAsync(HttpMethod.Get, "/admin/v1/devices", configure: r => Origin(r, "localhost:9090", origin));
        answer.ShouldBeProblem(403, "origin-refused");
        answer.Headers.Keys.ShouldNotContain("Access-Control-Allow-Origin");

        (await _admin.SendAsync(HttpMethod.Options, "/admin/v1/devices", key: null, configure: r => Origin(r, "localhost:9090", origin)))
            .ShouldBeProblem(403, "origin-refused");
    }

    [Fact]
    public async Task A_page_of_its_own_origin_is_answered()
    {
        Answer answer = await _admin.SendAsync(HttpMethod.Get, "/admin/v1/devices", configure: r => Origin(r, "localhost:9090", "http://localhost:9090"));

        answer.Status.ShouldBe(200);
    }

    private static void Origin(HttpRequestMessage request, string host, string origin)
    {
        request.Headers.Host = host;
        request.Headers.TryAddWithoutValidation("Origin", origin);
    }
}
