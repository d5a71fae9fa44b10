using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Admin;

public sealed class WebhookReaderTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    [Fact]
    public void A_configured_webhook_is_read()
    {
        (WebhookOptions hook, IReadOnlyList<string> errors) = Read($$"""{ "Url": "https://example.org/hook?room=1", "Secret": "{{Secret}}", "Events": ["request-opened"] }""");

        errors.ShouldBeEmpty();
        hook.Name.ShouldBe("chat");
        hook.Url.ShouldBe(new Uri("https://example.org/hook?room=1"));
        hook.Secret.Length.ShouldBe(24);
        hook.SecretFile.ShouldBeNull();
        hook.Events.ShouldBe(["request-opened"]);
    }

    [Theory]
    [InlineData("https://example.org")]
    [InlineData("http://127.0.0.1:8000/hook")]
    [InlineData("http://localhost/hook")]
    [InlineData("http://[::1]:8000")]
    public void An_address_on_which_no_event_can_be_overheard_is_allowed(string url)
    {
        (WebhookOptions hook, IReadOnlyList<string> errors) = Read($$"""{ "Url": "{{url}}", "SecretFile": "data/hook.secret" }""");

        errors.ShouldBeEmpty();
        hook.SecretFile.ShouldBe("data/hook.secret");
        hook.Events.ShouldBeEmpty("which is all of them");
    }

    [Theory]
    [InlineData("http://example.org/hook")]
    [InlineData("http://10.0.0.1/hook")]
    [InlineData("ftp://example.org/hook")]
    [InlineData("file:///etc/passwd")]
    [InlineData("/hook")]
    [InlineData("https://user:hunter2@example.org/hook")]
    [InlineData("https://example.org/hook#hunter2")]
    public void An_address_that_gives_the_secret_or_the_events_away_is_refused(string url)
    {
        string error = Read($$"""{ "Url": "{{url}}", "Secret": "{{Secret}}" }""").Errors.ShouldHaveSingleItem();

        error.ShouldStartWith("Admin:Webhooks:chat:Url: is no address for a webhook");
        error.ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData("""{ "Secret": "SECRET" }""", "Admin:Webhooks:chat:Url: is missing")]
    [InlineData("""{ "Url": "https://example.org" }""", "Admin:Webhooks:chat:Secret: is needed, or SecretFile, and not both")]
    [InlineData("""{ "Url": "https://example.org", "Secret": "SECRET", "SecretFile": "f" }""", "Admin:Webhooks:chat:Secret: is needed, or SecretFile, and not both")]
    [InlineData("""{ "Url": "https://example.org", "Secret": "hunter2" }""", "Admin:Webhooks:chat:Secret: is no secret")]
    [InlineData("""{ "Url": "https://example.org", "Secret": "SECRET", "Events": ["request-open"] }""", "Admin:Webhooks:chat:Events: found \"request-open\"; allowed: request-approved")]
    [InlineData("""{ "Url": "https://example.org", "Secret": "SECRET", "Events": [] }""", "Admin:Webhooks:chat:Events: is empty")]
    [InlineData("""{ "Url": "https://example.org", "Secret": "SECRET", "Event": ["request-opened"] }""", "Admin:Webhooks:chat:Event: unknown key; allowed here: Url, Secret, SecretFile, Events")]
    public void An_error_names_its_key_and_quotes_no_secret(string json, string expected)
    {
        string error = Read(json.Replace("SECRET", Secret)).Errors.ShouldHaveSingleItem();

        error.ShouldStartWith(expected);
        error.ShouldNotContain("hunter2");
        error.ShouldNotContain(Secret);
    }

    private static (WebhookOptions Hook, IReadOnlyList<string> Errors) Read(string json)
    {
        var errors = new ConfigurationErrors();
        AdminOptions options = AdminOptionsReader.Read(Configurations.Json($$"""{ "Admin": { "Webhooks": { "chat": {{json}} } } }"""), errors);
        return (options.Webhooks.Single(), errors.All);
    }
}
