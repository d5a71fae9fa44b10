using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.IntegrationTests.Gate.Backends;

/// <summary>A backend that is confused, or wants more approved than the gate has granted: nothing wider is approved, and nothing hangs.</summary>
public sealed class HostileBackendTests
{
    private static readonly Dictionary<string, Action<JsonObject>> Wider = new()
    {
        ["more scopes"] = request => request["scopes"] = new JsonArray("operator.read", "operator.admin"),
        ["a scope that implies the granted one"] = request => request["scopes"] = new JsonArray("operator.write"),
        ["a scope that is no name"] = request => request["scopes"] = new JsonArray("operator.read", "*"),
        ["another role beside it"] = request => request["roles"] = new JsonArray("operator", "node"),
        ["another role instead"] = request => (request["role"], request["roles"]) = ("node", new JsonArray()),
        ["no role"] = request => (request["role"], request["roles"]) = (null, null),
        ["another device"] = request => request["deviceId"] = new TestDevice().Id.ToString(),
        ["no device"] = request => request.Remove("deviceId"),
        ["scopes that are no list"] = request => request["scopes"] = "operator.read",
        ["scopes that are no texts"] = request => request["scopes"] = new JsonArray(1),
        ["another id"] = request => request["requestId"] = "00000000-0000-4000-8000-999999999999",
    };

    private static readonly Dictionary<string, Func<PairingBackend, FrameConnection, System.Text.Json.JsonElement, Task>> WrongAnswers = new()
    {
        ["it approves another device"] = (_, helper, call) => PairingBackend.RespondAsync(
            helper, call, new JsonObject { ["requestId"] = Requested(call), ["device"] = new JsonObject { ["deviceId"] = new TestDevice().Id.ToString() } }),
        ["it approves another request"] = (_, helper, call) => PairingBackend.RespondAsync(
            helper, call, new JsonObject { ["requestId"] = "another", ["device"] = new JsonObject { ["deviceId"] = "x" } }),
        ["it says nothing of what it approves"] = (_, helper, call) => PairingBackend.RespondAsync(helper, call, []),
        ["it answers with another call's id"] = async (_, helper, call) =>
            await helper.SendTextAsync("""{"type":"res","id":"another","ok":true,"payload":{}}"""),
        ["it sends no JSON"] = (_, helper, _) => helper.SendTextAsync("{\"type\":\"res\",\"id\""),
        ["it answers twice over"] = (_, helper, call) => helper.SendTextAsync(
            $$"""{"type":"res","id":"{{call.GetProperty("id").GetString()}}","ok":false,"ok":true,"payload":{} }"""),
        ["it leaves"] = (_, helper, _) =>
        {
            helper.Request!.Abort();
            return Task.CompletedTask;
        },
        ["it sends binary"] = (_, helper, _) => helper.SendAsync(ProxyGateway.DeviceAuth.WebSockets.Opcode.Binary, [1]),
        ["it never answers"] = (_, _, _) => Task.CompletedTask,
    };

    private readonly TestDevice _device = new();

    public static TheoryData<string> WiderRequests => [.. Wider.Keys];

    public static TheoryData<string> Answers => [.. WrongAnswers.Keys];

    [Fact]
    public async Task A_backend_that_repeats_the_token_in_a_refusal_does_not_bring_it_into_the_audit()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.AnswerCall = (helper, call) => helper.SendTextAsync(
            $$"""{"type":"res","id":"{{call.GetProperty("id").GetString()}}","ok":false,"error":{"code":"INVALID_REQUEST","message":"no: {{PairingBackend.Token}}"} }""");

        (await setting.ConnectAsync(_device)).ShouldBeToldToTryLater();

        AuditEntry entry = (await setting.AuditAsync(AuditKinds.BackendRefused)).Last(e => e.Kind == AuditKinds.BackendRefused);
        entry.Reason.ShouldNotBeNull().ShouldContain("it refuses, in words that have the token in them");
        entry.Reason.ShouldNotContain(PairingBackend.Token);
    }

    [Theory]
    [MemberData(nameof(WiderRequests))]
    public async Task A_request_for_more_than_the_gate_has_granted_is_not_approved(string what)
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.Distort = Wider[what];

        Outcome outcome = await setting.ConnectAsync(_device);

        outcome.ShouldBeToldToTryLater();
        setting.Backend.Calls.ShouldBe(["device.pair.list"]);
        setting.Gateway.Log.Of(1124).ShouldHaveSingleItem().ShouldContain($"Its owner can: openclaw devices approve {setting.Backend.RequestIds.Single()}.");
        AuditEntry refused = (await setting.AuditAsync(AuditKinds.BackendRefused)).Single(e => e.Kind == AuditKinds.BackendRefused);
        refused.Note.ShouldBe($"openclaw devices approve {setting.Backend.RequestIds.Single()}");
        refused.Reason!.ShouldStartWith("NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request ");
    }

    [Theory]
    [InlineData("scopes", "removed")]
    [InlineData("roles", "removed")]
    [InlineData("token", "removed")]
    [InlineData("scopes", "refused")]
    public async Task What_a_backend_approves_beyond_the_gates_grant_is_taken_back_at_once(string where, string removal)
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.AnswerCall = (helper, call) => call.GetProperty("method").GetString() switch
        {
            "device.pair.approve" => PairingBackend.RespondAsync(helper, call, new JsonObject
            {
                ["requestId"] = Requested(call),
                ["device"] = Approved(where == "scopes" ? "operator.admin" : "operator.read", where == "roles" ? "node" : "operator", where == "token" ? "operator.pairing" : "operator.read"),
            }),
            "device.pair.remove" when removal == "refused" => helper.SendTextAsync(
                $$"""{"type":"res","id":"{{call.GetProperty("id").GetString()}}","ok":false,"error":{"code":"INVALID_REQUEST","message":"no"} }"""),
            "device.pair.remove" => PairingBackend.RespondAsync(helper, call, []),
            _ => setting.Backend.AnswerHonestlyAsync(helper, call),
        };

        Outcome outcome = await setting.ConnectAsync(_device);

        outcome.ShouldBeClosed(1013, "try again later");
        setting.Backend.Calls.ShouldBe(["device.pair.list", $"device.pair.approve {setting.Backend.RequestIds.Single()}", "device.pair.remove"]);
        string line = setting.Gateway.Log.Of(1126).ShouldHaveSingleItem();
        line.ShouldContain(removal == "removed" ? "the gate has removed the device there" : "the gate could not take it back (it refuses: INVALID_REQUEST");
        AuditEntry refused = (await setting.AuditAsync(AuditKinds.BackendRefused)).Single(e => e.Kind == AuditKinds.BackendRefused);
        refused.Note.ShouldBe($"openclaw devices remove {_device.Id}");
        refused.Reason!.ShouldContain("it has approved more than the gate has granted");
        setting.Gateway.Log.Of(1123).ShouldBeEmpty();

        JsonObject Approved(string scope, string role, string tokenScope) => new()
        {
            ["deviceId"] = _device.Id.ToString(),
            ["role"] = "operator",
            ["roles"] = new JsonArray(role),
            ["scopes"] = new JsonArray("operator.read", scope),
            ["tokens"] = new JsonArray(new JsonObject { ["role"] = "operator", ["scopes"] = new JsonArray(tokenScope) }),
        };
    }

    [Theory]
    [InlineData("list")]
    [InlineData("refusal")] // its list has less
    public async Task What_a_device_has_had_at_the_backend_before_is_not_taken_back(string said)
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        if (said == "refusal")
        {
            setting.Backend.DistortRefusal = error =>
                (error["details"]!["approvedRoles"], error["details"]!["approvedScopes"]) = (new JsonArray("operator"), new JsonArray("operator.admin"));
        }

        setting.Backend.AnswerCall = (helper, call) => PairingBackend.RespondAsync(
            helper,
            call,
            call.GetProperty("method").GetString() == "device.pair.list"
                ? new JsonObject { ["pending"] = new JsonArray(Pending()), ["paired"] = new JsonArray(Paired(said == "list" ? "operator.admin" : "operator.talk")) }
                : new JsonObject { ["requestId"] = Requested(call), ["device"] = Paired("operator.admin") });

        (await setting.ConnectAsync(_device)).ShouldBeToldToConnectAgain();

        setting.Gateway.Log.Of(1126).ShouldBeEmpty();

        JsonObject Paired(string scope) => new()
        {
            ["deviceId"] = _device.Id.ToString(),
            ["role"] = "operator",
            ["roles"] = new JsonArray("operator"),
            ["scopes"] = new JsonArray(scope),
        };

        JsonObject Pending() => new()
        {
            ["requestId"] = setting.Backend.RequestIds.Single(),
            ["deviceId"] = _device.Id.ToString(),
            ["role"] = "operator",
            ["scopes"] = new JsonArray("operator.read"),
        };
    }

    [Fact]
    public async Task Two_requests_of_one_id_are_none()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.AnswerCall = (helper, call) => PairingBackend.RespondAsync(helper, call, new JsonObject
        {
            ["pending"] = new JsonArray(Pending("operator.read"), Pending("operator.admin")),
        });

        (await setting.ConnectAsync(_device)).ShouldBeToldToTryLater();

        setting.Backend.Approvals.ShouldBeEmpty();

        JsonObject Pending(string scope) => new()
        {
            ["requestId"] = setting.Backend.RequestIds.Single(),
            ["deviceId"] = _device.Id.ToString(),
            ["role"] = "operator",
            ["scopes"] = new JsonArray(scope),
        };
    }

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task A_wrong_answer_to_an_approval_is_no_approval(string what)
    {
        await using PairingSetting setting = await StartImpatientAsync();
        setting.Backend.AnswerCall = (helper, call) => call.GetProperty("method").GetString() == "device.pair.list"
            ? setting.Backend.AnswerHonestlyAsync(helper, call)
            : WrongAnswers[what](setting.Backend, helper, call);

        (await setting.ConnectAsync(_device)).ShouldBeToldToTryLater();

        await setting.Backend.HelperConnections.ShouldHaveSingleItem().Completion; // it is not used again
        setting.Gateway.Log.Of(1123).ShouldBeEmpty();
        setting.Gateway.Log.Of(1124).ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData("a call")]
    [InlineData("a refusal")]
    public async Task Half_a_character_in_what_the_backend_says_is_an_answer_that_is_not_understood(string where)
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        const string half = "\\ud800";
        if (where == "a call")
        {
            setting.Backend.AnswerCall = (helper, call) => helper.SendTextAsync(
                $$"""{"type":"res","id":"{{call.GetProperty("id").GetString()}}","ok":true,"payload":{"pending":[{"requestId":"{{half}}"}]} }""");
        }
        else
        {
            setting.Backend.SendRefusal = (device, refusal) => device.SendTextAsync(refusal.Replace("\"message\"", $"\"{half}message\"", StringComparison.Ordinal));
        }

        Outcome outcome = await setting.ConnectAsync(_device);

        if (where == "a call")
            outcome.ShouldBeToldToTryLater();
        else
            outcome.ShouldBeClosed(1008, "");
        (await setting.AuditAsync(AuditKinds.BackendRefused)).Where(e => e.Kind == AuditKinds.BackendRefused).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_request_that_is_gone_before_its_approval_costs_others_nothing()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.AnswerCall = (helper, call) => call.GetProperty("method").GetString() == "device.pair.list"
            ? setting.Backend.AnswerHonestlyAsync(helper, call)
            : helper.SendTextAsync(
                $$"""{"type":"res","id":"{{call.GetProperty("id").GetString()}}","ok":false,"error":{"code":"INVALID_REQUEST","message":"unknown requestId"} }""");
        (await setting.ConnectAsync(_device)).ShouldBeToldToTryLater();

        setting.Backend.AnswerCall = null;
        await setting.ShouldBeApprovedAsync(new TestDevice());

        setting.Backend.HelperConnections.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_message_without_end_is_not_taken()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        byte[] part = new byte[64 * 1024];
        Array.Fill(part, (byte)' ');
        setting.Backend.AnswerCall = async (helper, _) =>
        {
            await helper.SendTextAsync("{", isFinal: false);
            for (int sent = 0; sent < 4 * PairingConnection.MaxMessageBytes; sent += part.Length)
                await helper.SendAsync(ProxyGateway.DeviceAuth.WebSockets.Opcode.Continuation, part, isFinal: false);
        };

        (await setting.ConnectAsync(_device)).ShouldBeToldToTryLater();

        setting.Gateway.Log.Of(1124).ShouldHaveSingleItem().ShouldContain($"a message of more than {PairingConnection.MaxMessageBytes} bytes");
    }

    [Fact]
    public async Task A_flood_ends_the_connection()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        string tick = $$"""{"type":"event","event":"tick","payload":"{{new string('x', 1024 * 1024)}}"}""";
        int sent = 0;
        setting.Backend.AnswerCall = async (helper, call) =>
        {
            await setting.Backend.AnswerHonestlyAsync(helper, call);
            if (call.GetProperty("method").GetString() != "device.pair.approve")
                return;
            for (; sent < 1000; sent++)
                await helper.SendTextAsync(tick);
        };

        (await setting.ConnectAsync(_device)).ShouldBeToldToConnectAgain();

        await setting.Backend.HelperConnections.ShouldHaveSingleItem().Completion;
        sent.ShouldBeLessThan(200);
    }

    [Fact]
    public async Task What_the_backend_says_is_cleaned_and_short()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync([]);
        setting.Backend.DistortRefusal = error =>
        {
            error["code"] = "EVIL\u001b[31m\r\n\u202E" + new string('x', 9000);
            error["details"]!["reason"] = "line\nof its own\u2028" + new string('y', 3000);
        };

        Outcome outcome = await setting.ConnectAsync(_device);

        string line = setting.Gateway.Log.Of(1122).ShouldHaveSingleItem();
        line.Length.ShouldBeLessThan(1000);
        line.Any(c => char.IsControl(c) || c is '\u202E' or '\u2028').ShouldBeFalse();
        outcome.Details.GetProperty("reason").GetString()!.Length.ShouldBeLessThanOrEqualTo(100);
        AuditEntry refused = (await setting.AuditAsync(AuditKinds.BackendRefused)).Single(e => e.Kind == AuditKinds.BackendRefused);
        refused.Reason!.Length.ShouldBeLessThan(400);
    }

    [Theory]
    [InlineData("; rm -rf /")]
    [InlineData("$(id)")]
    [InlineData("")]
    [InlineData("-f")]
    public async Task A_request_id_that_is_none_is_in_no_command_and_the_client_gets_the_backends_answer(string id)
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.DistortRefusal = error => error["details"]!["requestId"] = id;

        Outcome outcome = await setting.ConnectAsync(_device);

        outcome.ShouldBeClosed(1008, "");
        outcome.RequestId.ShouldBe(id);
        setting.Backend.Helpers.ShouldBeEmpty();
        setting.Gateway.Log.Of(1105).ShouldHaveSingleItem().ShouldEndWith(": NOT_PAIRED PAIRING_REQUIRED scope-upgrade.");
        setting.Gateway.Log.Lines.ShouldAllBe(l => !l.Text.Contains("openclaw devices approve", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_refusal_that_is_too_long_is_passed_on_as_it_comes()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        string padding = new('z', 40_000);
        setting.Backend.DistortRefusal = error => error["padding"] = padding;

        Outcome outcome = await setting.ConnectAsync(_device);

        outcome.ShouldBeClosed(1008, "");
        outcome.Error.GetProperty("padding").GetString().ShouldBe(padding);
        setting.Backend.Approvals.ShouldBeEmpty();
    }

    private static Task<PairingSetting> StartImpatientAsync() => PairingSetting.StartAsync(new()
    {
        ["DeviceAuth:Backends:agent:OpenClaw:Token"] = PairingBackend.Token,
        ["DeviceAuth:HandshakeTimeout"] = "00:00:02",
    });

    private static string Requested(System.Text.Json.JsonElement call) => call.GetProperty("params").GetProperty("requestId").GetString()!;
}
