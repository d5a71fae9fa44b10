using System.Text;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

namespace ProxyGateway.Tests.Handshakes.Backends;

public sealed class BackendRefusalTests
{
    private const string Id = "64dc9140-839c-4c1d-9edb-99a0e443c542";

    [Fact]
    public void What_an_OpenClaw_gateway_says_is_read()
    {
        BackendRefusal refusal = Read($$"""{"code":"NOT_PAIRED","message":"m","details":{"code":"PAIRING_REQUIRED","reason":"scope-upgrade","requestId":"{{Id}}"} }""");

        refusal.ShouldBe(new BackendRefusal("NOT_PAIRED", "PAIRING_REQUIRED", "scope-upgrade", Id, Retries: false) { Message = "m" });
        refusal.AsksForPairing.ShouldBeTrue();
        refusal.OwnersCommand.ShouldBe($"openclaw devices approve {Id}");
    }

    [Theory]
    [InlineData("""{"details":{"approvedRoles":["operator","node"],"approvedScopes":["operator.read",1,"\ud800",null]}}""", "node operator", "operator.read")]
    [InlineData("""{"details":{"approvedRoles":"operator","approvedScopes":{"0":"operator.read"}}}""", "", "")]
    [InlineData("""{"approvedRoles":["operator"],"details":{}}""", "", "")]
    [InlineData("""{}""", "", "")]
    public void What_the_device_has_there_is_read(string error, string roles, string scopes)
    {
        BackendRefusal refusal = Read(error);

        (string.Join(' ', refusal.ApprovedRoles), string.Join(' ', refusal.ApprovedScopes)).ShouldBe((roles, scopes));
    }

    [Theory]
    [InlineData("""{"code":"NOT_PAIRED","details":{"requestId":"an-id"}}""", true)] // as versions before details had a code
    [InlineData("""{"code":"NOT_PAIRED","details":{"code":"DEVICE_IDENTITY_REQUIRED","requestId":"an-id"}}""", false)]
    [InlineData("""{"code":"INVALID_REQUEST","details":{"requestId":"an-id"}}""", false)]
    [InlineData("""{"code":"NOT_PAIRED"}""", false)]
    public void A_pairing_question_names_a_request(string error, bool asks) => Read(error).AsksForPairing.ShouldBe(asks);

    [Theory]
    [InlineData("""{"details":{"code":"AUTH_DEVICE_TOKEN_MISMATCH"}}""", true)]
    [InlineData("""{"code":"AUTH_DEVICE_TOKEN_MISMATCH","details":{"code":"AUTH_TOKEN_MISMATCH"}}""", false)]
    [InlineData("""{"code":"AUTH_DEVICE_TOKEN_MISMATCH"}""", false)]
    public void A_backend_that_does_not_know_the_token_it_has_issued_has_forgotten_the_device(string error, bool forgot) => Read(error).ForgotDevice.ShouldBe(forgot);

    [Theory]
    [InlineData("""{"details":{"pauseReconnect":false}}""", true)]
    [InlineData("""{"details":{"recommendedNextStep":"wait_then_retry"}}""", true)]
    [InlineData("""{"details":{"pauseReconnect":true,"recommendedNextStep":"contact_operator"}}""", false)]
    [InlineData("""{}""", false)]
    public void Whether_the_client_comes_again_is_read(string error, bool retries) => Read(error).Retries.ShouldBe(retries);

    [Theory]
    [InlineData("")]
    [InlineData("-f")]
    [InlineData("a b")]
    [InlineData("a;b")]
    [InlineData("a\\nb")]
    public void An_id_that_could_be_more_than_one_word_of_a_command_is_none(string id) =>
        Read($$"""{"code":"NOT_PAIRED","details":{"code":"PAIRING_REQUIRED","requestId":"{{id}}"} }""").RequestId.ShouldBeNull();

    [Theory]
    [InlineData("""{"\ud800":"x","code":"NOT_PAIRED"}""")]
    [InlineData("""{"code":"\ud800"}""")]
    [InlineData("""{"details":{"cod\ud800":1,"cod\ud801":2,"code":3}}""")]
    public void Half_a_character_is_no_error(string error) => Should.NotThrow(() => Read(error));

    [Fact]
    public void An_id_is_128_characters_at_most()
    {
        Read($$"""{"details":{"requestId":"{{new string('a', 128)}}"} }""").RequestId.ShouldNotBeNull();
        Read($$"""{"details":{"requestId":"{{new string('a', 129)}}"} }""").RequestId.ShouldBeNull();
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"error":[]}""")]
    [InlineData("""{"error":{"code":1,"details":"x"}}""")]
    [InlineData("""{"error":{"code":"\ud800"}}""")]
    [InlineData("""{"error":{"code":"A","code":"B"}}""")]
    public void What_is_not_understood_says_nothing(string message)
    {
        BackendRefusal refusal = BackendRefusal.Read(Encoding.UTF8.GetBytes(message));

        refusal.Describe().ShouldBe("no reason");
        refusal.Retries.ShouldBeFalse();
    }

    private static BackendRefusal Read(string error) =>
        BackendRefusal.Read(Encoding.UTF8.GetBytes($$"""{"type":"res","id":"c","ok":false,"error":{{error}} }"""));
}
