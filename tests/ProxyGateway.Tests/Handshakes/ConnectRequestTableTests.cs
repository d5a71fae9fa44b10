using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What the gate takes of a <c>connect</c> request, member by member, and what it refuses.</summary>
public sealed class ConnectRequestTableTests
{
    private const string Full =
        """
        {"type":"req","id":"17","method":"connect","params":{"minProtocol":3,"maxProtocol":4,
        "client":{"id":"cli","version":"1","platform":"Linux","mode":"ui","deviceFamily":"Phone","displayName":"Anna's"},
        "role":"node","scopes":["b","a","b"],"caps":[],"auth":{"token":"t","deviceToken":"d","bootstrapToken":"s","trustedBrokerProfileId":"p"},
        "device":{"id":"i","publicKey":"k","signature":"g","signedAt":-9223372036854775808,"nonce":"n"}}}
        """;

    private const string Client = "params.client is malformed";
    private const string Scopes = "params.scopes is malformed";
    private const string Auth = "params.auth is malformed";
    private const string Token = "params.auth is malformed: a token must not hold a comma, a | or a control character";
    private const string Profile = "params.auth.trustedBrokerProfileId is malformed";
    private const string Device = "params.device is malformed";
    private const string Role = "params.role is malformed";
    private const string Protocol = "the protocol versions must be integers";
    private const string Params = "params must be an object";
    private const string Method = "the first request must be connect";
    private const string NoRequest = "not a request frame";

    [Fact]
    public void Each_member_is_read_as_it_was_sent()
    {
        ConnectRequest request = Read(Full);

        (request.Id, request.MaxProtocol, request.Role).ShouldBe(("17", 4, "node"));
        (request.ClientId, request.ClientMode, request.Platform, request.DeviceFamily, request.DisplayName).ShouldBe(("cli", "ui", "Linux", "Phone", "Anna's"));
        request.Scopes.ShouldBe(["b", "a", "b"], "as it is signed");
        (request.SharedToken, request.SignedToken, request.TrustedBrokerProfileId).ShouldBe(("t", "t", "p"));
        request.Device.ShouldBe(new ConnectDevice("i", "k", "g", long.MinValue, "n"));
        request.Describe().ShouldBe(new("cli", "Anna's", "Linux", "ui"));
    }

    [Fact]
    public void An_absent_optional_member_has_the_value_that_clients_sign()
    {
        ConnectRequest request = Read("""{"type":"req","id":"1","method":"connect","params":{"client":{"id":"cli","mode":"ui"}}}""");

        (request.MaxProtocol, request.Role, request.Platform, request.DeviceFamily, request.DisplayName).ShouldBe((0, "operator", "", "", null));
        request.Scopes.ShouldBeEmpty();
        (request.SharedToken, request.SignedToken, request.TrustedBrokerProfileId, request.Device).ShouldBe((null, "", null, null));
    }

    [Theory]
    [InlineData("""{"token":"t","deviceToken":"d","bootstrapToken":"s"}""", "t", "t")]
    [InlineData("""{"deviceToken":"d","bootstrapToken":"s"}""", null, "d")]
    [InlineData("""{"bootstrapToken":"s"}""", null, "s")]
    [InlineData("""{"token":"","deviceToken":"d"}""", "", "")]
    [InlineData("{}", null, "")]
    public void The_first_token_that_is_there_is_the_signed_one(string auth, string? shared, string covered)
    {
        ConnectRequest request = Read(With("params.auth", auth));

        (request.SharedToken, request.SignedToken).ShouldBe((shared, covered));
    }

    // path, what stands there instead (null: nothing), and what is wrong with it (null: nothing)
    [Theory]
    [InlineData("type", null, NoRequest)]
    [InlineData("type", "\"res\"", NoRequest)]
    [InlineData("type", "1", NoRequest)]
    [InlineData("id", null, NoRequest)]
    [InlineData("id", "\"\"", NoRequest)]
    [InlineData("id", "17", NoRequest)]
    [InlineData("method", null, Method)]
    [InlineData("method", "\"hello\"", Method)]
    [InlineData("method", "1", Method)]
    [InlineData("params", null, Params)]
    [InlineData("params", "null", Params)]
    [InlineData("params", "[]", Params)]
    [InlineData("params.client", null, Client)]
    [InlineData("params.client", "null", Client)]
    [InlineData("params.client", "[]", Client)]
    [InlineData("params.client.id", null, Client)]
    [InlineData("params.client.id", "null", Client)]
    [InlineData("params.client.id", "\"\"", Client)]
    [InlineData("params.client.id", "\"a|b\"", Client)]
    [InlineData("params.client.mode", null, Client)]
    [InlineData("params.client.mode", "1", Client)]
    [InlineData("params.client.mode", "\"a,b\"", Client)]
    [InlineData("params.client.platform", null, null)]
    [InlineData("params.client.platform", "\"\"", null)]
    [InlineData("params.client.platform", "null", Client)]
    [InlineData("params.client.platform", "\"a|b\"", Client)]
    [InlineData("params.client.deviceFamily", null, null)]
    [InlineData("params.client.deviceFamily", "\"\"", null)]
    [InlineData("params.client.deviceFamily", "{}", Client)]
    [InlineData("params.client.deviceFamily", "\"a\\nb\"", Client)]
    [InlineData("params.client.displayName", null, null)]
    [InlineData("params.client.displayName", "\"a|b,c\\n\"", null)] // it is not signed
    [InlineData("params.client.displayName", "1", Client)]
    [InlineData("params.minProtocol", null, null)]
    [InlineData("params.minProtocol", "1.5", Protocol)]
    [InlineData("params.minProtocol", "\"3\"", Protocol)]
    [InlineData("params.maxProtocol", "2147483648", Protocol)]
    [InlineData("params.maxProtocol", "null", Protocol)]
    [InlineData("params.maxProtocol", "2147483647", null)]
    [InlineData("params.role", null, null)]
    [InlineData("params.role", "\"\"", Role)]
    [InlineData("params.role", "\"a b\"", Role)]
    [InlineData("params.role", "null", Role)]
    [InlineData("params.scopes", null, null)]
    [InlineData("params.scopes", "[]", null)]
    [InlineData("params.scopes", "null", Scopes)]
    [InlineData("params.scopes", "{}", Scopes)]
    [InlineData("params.scopes", "\"a\"", Scopes)]
    [InlineData("params.scopes", """["a",1]""", Scopes)]
    [InlineData("params.scopes", """["a",null]""", Scopes)]
    [InlineData("params.scopes", """["a,b"]""", Scopes)]
    [InlineData("params.auth", null, null)]
    [InlineData("params.auth", "null", Auth)]
    [InlineData("params.auth", "\"t\"", Auth)]
    [InlineData("params.auth.token", "1", Auth)]
    [InlineData("params.auth.token", "\"a|b\"", Token)]
    [InlineData("params.auth.deviceToken", "1", Auth)]
    [InlineData("params.auth.deviceToken", "\"a|b\"", null)] // the other one is signed
    [InlineData("params.auth.bootstrapToken", "null", Auth)]
    [InlineData("params.auth.trustedBrokerProfileId", "1", Auth)]
    [InlineData("params.auth.trustedBrokerProfileId", "\"\"", null)]
    [InlineData("params.auth.trustedBrokerProfileId", "\"a\"", null)]
    [InlineData("params.device", null, null)]
    [InlineData("params.device", "null", Device)]
    [InlineData("params.device", "[]", Device)]
    [InlineData("params.device.id", null, Device)]
    [InlineData("params.device.id", "1", Device)]
    [InlineData("params.device.publicKey", null, Device)]
    [InlineData("params.device.publicKey", "1", Device)]
    [InlineData("params.device.signature", null, Device)]
    [InlineData("params.device.signature", "1", Device)]
    [InlineData("params.device.nonce", null, null)] // the proof says that it is missing
    [InlineData("params.device.nonce", "1", Device)]
    [InlineData("params.device.signedAt", null, Device)]
    [InlineData("params.device.signedAt", "1.5", Device)]
    [InlineData("params.device.signedAt", "\"1\"", Device)]
    [InlineData("params.device.signedAt", "9223372036854775808", Device)]
    [InlineData("params.device.signedAt", "9223372036854775807", null)]
    public void One_member_that_is_wrong_refuses_the_request(string path, string? value, string? problem) => Problem(With(path, value)).ShouldBe(problem);

    [Theory]
    [InlineData("id", 256, null)]
    [InlineData("id", 257, NoRequest)]
    [InlineData("params.client.id", 4096, null)]
    [InlineData("params.client.id", 4097, Client)]
    [InlineData("params.client.displayName", 4096, null)]
    [InlineData("params.client.displayName", 4097, Client)]
    [InlineData("params.role", 128, null)]
    [InlineData("params.role", 129, Role)]
    [InlineData("params.auth.token", 4096, null)]
    [InlineData("params.auth.token", 4097, Auth)]
    [InlineData("params.device.signature", 4096, null)]
    [InlineData("params.device.signature", 4097, Device)]
    public void Texts_have_a_bound(string path, int length, string? problem) => Problem(With(path, $"\"{new string('x', length)}\"")).ShouldBe(problem);

    [Theory]
    [InlineData(64, null)]
    [InlineData(65, Scopes)]
    public void There_are_64_scopes_at_most(int count, string? problem) =>
        Problem(With("params.scopes", $"[{string.Join(',', Enumerable.Range(0, count).Select(i => $"\"s{i}\""))}]")).ShouldBe(problem);

    // The separators of the signed payload, and what a terminal or a log would act on.
    [Theory]
    [InlineData(',')]
    [InlineData('|')]
    [InlineData('\0')]
    [InlineData('\n')]
    [InlineData('\u007F')]
    [InlineData('\u0085')]
    public void No_separator_or_control_character_stands_in_what_is_signed(char c)
    {
        string text = JsonValue.Create($"a{c}b").ToJsonString();

        foreach (string path in (string[])["params.client.id", "params.client.mode", "params.client.platform", "params.client.deviceFamily"])
            Problem(With(path, text)).ShouldBe(Client);
        Problem(With("params.auth.token", text)).ShouldBe(Token);
        Problem(With("params.auth.trustedBrokerProfileId", text)).ShouldBe(Profile);
    }

    [Theory]
    [InlineData("[]", NoRequest)]
    [InlineData("1", NoRequest)]
    [InlineData("\"connect\"", NoRequest)]
    [InlineData("null", NoRequest)]
    [InlineData("", "not strict JSON")]
    [InlineData("{}{}", "not strict JSON")]
    [InlineData("{\"id\":\"1\",\"id\":\"2\"}", "not strict JSON")]
    public void A_message_that_is_no_request_gets_no_answer(string message, string problem)
    {
        Problem(message).ShouldBe(problem);
        Refusal(message)!.Answer.ShouldBeNull("nothing says which request it would answer");
    }

    [Fact]
    public void A_request_that_is_wrong_is_answered_by_its_id()
    {
        Refusal refusal = Refusal(With("params.role", "null")).ShouldNotBeNull();

        JsonNode answer = JsonNode.Parse(refusal.Answer.AsSpan(4))!; // one frame of more than 125 bytes
        ((string?)answer["id"], (string?)answer["error"]!["code"], (string?)answer["error"]!["message"])
            .ShouldBe(("17", "INVALID_REQUEST", "invalid handshake: params.role is malformed"));
    }

    private static string With(string path, string? value)
    {
        JsonNode frame = JsonNode.Parse(Full)!;
        JsonObject target = frame.AsObject();
        string[] steps = path.Split('.');
        foreach (string step in steps[..^1])
            target = target[step]!.AsObject();
        target.Remove(steps[^1]);
        if (value is not null)
            target[steps[^1]] = JsonNode.Parse(value);
        return frame.ToJsonString();
    }

    private static ConnectRequest Read(string message)
    {
        ConnectRequestReader.TryRead(Encoding.UTF8.GetBytes(message), out ConnectRequest request, out _).ShouldBeTrue();
        return request;
    }

    private static string? Problem(string message) => Refusal(message)?.Closing.Reason.Replace("invalid handshake: ", "", StringComparison.Ordinal);

    private static Refusal? Refusal(string message) =>
        ConnectRequestReader.TryRead(Encoding.UTF8.GetBytes(message), out _, out Refusal refusal) ? null : refusal;
}
