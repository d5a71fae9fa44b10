namespace ProxyGateway.IntegrationTests.Admin;

public sealed class MeEndpointTests
{
    [Theory]
    [InlineData(TestAdmin.Approver, """{"name":"ops","role":"approver"}""")]
    [InlineData(TestAdmin.Viewer, """{"name":"eve","role":"viewer"}""")]
    [InlineData(TestAdmin.Limited, """{"name":"lim","role":"approver","upTo":{"operator":["operator.read"]}}""")]
    public async Task An_operator_reads_their_name_and_role(string key, string expected)
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        Answer me = await admin.GetAsync("/admin/v1/me", key);

        (me.Status, me.MediaType, me.Text).ShouldBe((200, "application/json", expected));
    }

    [Fact]
    public async Task Without_a_valid_key_me_is_refused()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();

        (await admin.GetAsync("/admin/v1/me", key: null)).ShouldBeProblem(401, "unauthorized");
        (await admin.PostAsync("/admin/v1/me")).ShouldBeProblem(405, "method-not-allowed");
    }
}
