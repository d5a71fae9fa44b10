using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>The answers before any upgrade, RFC 9457: their status, what kind of problem it is, and whether to come again.</summary>
public sealed class ProblemsTests
{
    public static TheoryData<string, Func<HttpContext, Task>, int, string?> Kinds { get; } = new()
    {
        { "http-refused", Problems.HttpRefused, 403, null },
        { "upgrade-refused", Problems.UpgradeRefused, 403, null },
        { "websocket-version", Problems.VersionRefused, 426, null },
        { "origin-refused", Problems.OriginRefused, 403, null },
        { "path-refused", Problems.PathRefused, 400, null },
        { "header-refused", Problems.HeaderRefused, 400, null },
        { "too-many-handshakes", c => Problems.OverBudget(c, BudgetScope.Rate), 429, "1" },
        { "too-many-handshakes", c => Problems.OverBudget(c, BudgetScope.Address), 429, "1" },
        { "too-many-handshakes", c => Problems.OverBudget(c, BudgetScope.Destination), 503, "1" },
        { "too-many-handshakes", c => Problems.OverBudget(c, BudgetScope.All), 503, "1" },
        { "restarting", Problems.Draining, 503, "1" },
        { "misconfigured", Problems.NotGated, 500, null },
        { "backend-unavailable", Problems.BackendUnavailable, 503, "1" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_problem_has_a_type_a_status_and_words(string type, Func<HttpContext, Task> write, int status, string? retryAfter)
    {
        var context = new DefaultHttpContext { Response = { Body = new MemoryStream() } };

        await write(context);

        context.Response.StatusCode.ShouldBe(status);
        context.Response.ContentType.ShouldBe("application/problem+json");
        ((string?)context.Response.Headers.RetryAfter).ShouldBe(retryAfter);
        context.Response.Body.Position = 0;
        JsonNode problem = JsonNode.Parse(context.Response.Body)!;
        ((string?)problem["type"], (int?)problem["status"]).ShouldBe(($"urn:proxygateway:problem:{type}", status));
        ((string?)problem["title"]).ShouldNotBeNullOrWhiteSpace();
        ((string?)problem["detail"]).ShouldNotBeNullOrWhiteSpace();
    }

    [Fact]
    public async Task Another_version_is_told_which_one_is_spoken()
    {
        var context = new DefaultHttpContext();

        await Problems.VersionRefused(context);

        ((string?)context.Response.Headers.SecWebSocketVersion).ShouldBe("13");
    }

    [Theory]
    [InlineData("HTTP/1.1", "close")]
    [InlineData("HTTP/2", null)]
    public async Task A_gateway_that_ends_has_the_connection_closed_where_that_is_a_header(string protocol, string? expected)
    {
        var context = new DefaultHttpContext();
        context.Request.Protocol = protocol;

        await Problems.Draining(context);

        ((string?)context.Response.Headers.Connection).ShouldBe(expected);
    }

    [Fact]
    public async Task A_client_that_does_not_wait_for_its_answer_is_no_fault()
    {
        var context = new DefaultHttpContext { RequestAborted = new CancellationToken(canceled: true), Response = { Body = new MemoryStream() } };

        await Should.NotThrowAsync(() => Problems.HttpRefused(context));
    }
}
