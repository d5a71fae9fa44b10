using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Tests.Admin;

public sealed class WebhookMessageTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 22, 10, 0, 0, TimeSpan.FromHours(2));

    [Fact]
    public void The_signature_is_that_of_Standard_Webhooks()
    {
        // The example of the specification's own libraries.
        WebhookSecret.TryParse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", out ImmutableArray<byte> secret).ShouldBeTrue();

        WebhookMessage.Sign(secret.AsSpan(), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", """{"test": 2432232314}"""u8)
            .ShouldBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    [Fact]
    public void A_message_has_the_audit_entry_without_its_id()
    {
        WebhookMessage message = WebhookMessage.Of(new AuditEntry { Kind = AuditKinds.RequestOpened, Time = Time, Gateway = "gw", Role = "operator" });

        Encoding.UTF8.GetString(message.Body).ShouldBe(
            """{"type":"request-opened","timestamp":"2026-11-22T08:00:00Z","data":{"time":"2026-11-22T08:00:00Z","gateway":"gw","kind":"request-opened","role":"operator"}}""");
    }

    [Fact]
    public async Task Attempts_share_id_and_body_and_have_their_own_time_and_signature()
    {
        byte[] secret = new byte[32];
        WebhookMessage message = WebhookMessage.Of(new AuditEntry { Kind = AuditKinds.DeviceRemoved });
        using HttpRequestMessage first = message.ToRequest(new Uri("https://example.org/hook"), secret, Time);
        using HttpRequestMessage second = message.ToRequest(new Uri("https://example.org/hook"), secret, Time.AddMinutes(1));

        Header(first, WebhookMessage.IdHeader).ShouldBe(Header(second, WebhookMessage.IdHeader));
        Header(first, WebhookMessage.IdHeader).ShouldNotBe(WebhookMessage.Of(new AuditEntry { Kind = AuditKinds.DeviceRemoved }).Id);
        (await first.Content!.ReadAsByteArrayAsync()).ShouldBe(await second.Content!.ReadAsByteArrayAsync());
        Header(first, WebhookMessage.TimestampHeader).ShouldBe("1795334400");
        Header(second, WebhookMessage.TimestampHeader).ShouldBe("1795334460");
        Header(first, WebhookMessage.SignatureHeader).ShouldNotBe(Header(second, WebhookMessage.SignatureHeader));
        first.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        JsonDocument.Parse(message.Body).RootElement.GetProperty("type").GetString().ShouldBe("device-removed");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("whsec_")]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2Las")]
    [InlineData("whsec_not base64, not base64, not base64")]
    [InlineData("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void An_invalid_secret_is_refused(string? text) => WebhookSecret.TryParse(text, out _).ShouldBeFalse();

    private static string Header(HttpRequestMessage request, string name) => request.Headers.GetValues(name).Single();
}
