namespace ProxyGateway.IntegrationTests.Admin;

public sealed class MeEndpointTests
{
    [Theory]
    [InlineData(TestAdmin.Approver, """{"name":"ops","role":"approver"}""")]
    [InlineData(TestAdmin.Viewer, """{"name":"eve","role":"viewer"}""")]
    [InlineData(TestAdmin.Limited, """{"name":"lim","role":"approver","upTo":{"operator":["operator.read"]}}""")]
    public async Task An_operator_learns_who_he_is(string key, string expected)
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        Answer me = await admin.GetAsync("/admin/v1/me", key);

        (me.Status, me.MediaType, me.Text).ShouldBe((200, "application/json", expected));
    }

    [Fact]
    public async Task Nobody_else_does()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        (await admin.GetAsync("/admin/v1/me", key: null)).ShouldBeProblem(401, "unauthorized");
        (await admin.PostAsync("/admin/v1/me")).ShouldBeProblem(405, "method-not-allowed");
    }
}
