using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate.Backends;

/// <summary>What the gate grants, it approves at a backend that asks again, over a connection of its own.</summary>
[SupportedOSPlatform("linux")]
public sealed class ApprovalTests
{
    private const string TokenKey = "DeviceAuth:Backends:agent:OpenClaw:Token";

    private readonly TestDevice _device = new();

    [Fact]
    public async Task What_the_gate_has_granted_is_approved_at_the_backend_and_the_client_gets_in_by_itself()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();

        await setting.ShouldBeApprovedAsync(_device, "operator.read", "operator.write");

        string id = setting.Backend.RequestIds.ShouldHaveSingleItem();
        setting.Backend.Approvals.ShouldBe([id]);
        setting.Gateway.Log.Of(1123).ShouldHaveSingleItem().ShouldBe(
            $"Approved at the backend what was granted to device {_device.Id} as operator with [operator.read operator.write] from 127.0.0.1: "
            + $"NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request {id}. The client is told to connect again.");
        List<AuditEntry> entries = await setting.AuditAsync(AuditKinds.SessionOpened);
        entries.Select(e => e.Kind).Distinct().ShouldBe(
            ["device-auto-approved", "device-admitted", "backend-approved", "session-closed", "session-opened"], ignoreOrder: true);
        AuditEntry approved = entries.Single(e => e.Kind == AuditKinds.BackendApproved);
        (approved.DeviceId, approved.Role, approved.Reason).ShouldBe((_device.Id, "operator", $"NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request {id}"));
    }

    [Fact]
    public async Task The_gates_own_connection_is_a_backend_client_without_a_device()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();

        await setting.ShouldBeApprovedAsync(_device);

        JsonElement parameters = setting.Backend.Helpers.ShouldHaveSingleItem().GetProperty("params");
        JsonElement client = parameters.GetProperty("client");
        (client.GetProperty("id").GetString(), client.GetProperty("mode").GetString()).ShouldBe(("gateway-client", "backend"));
        parameters.GetProperty("role").GetString().ShouldBe("operator");
        parameters.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()).ShouldBe(["operator.admin", "operator.pairing"]);
        parameters.TryGetProperty("device", out _).ShouldBeFalse();
        setting.Gateway.Backend.Requests.ShouldAllBe(headers => !headers.ContainsKey("Origin"));
    }

    [Fact]
    public async Task The_connection_is_kept_and_made_again_when_it_is_lost()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        await setting.ShouldBeApprovedAsync(new TestDevice());
        await setting.ShouldBeApprovedAsync(new TestDevice());
        FrameConnection kept = setting.Backend.HelperConnections.ShouldHaveSingleItem();

        kept.Request!.Abort();
        kept.Complete();
        int tries = 0;
        await Eventually.HoldsAsync(
            async () => (await setting.ConnectAsync(_device)).IsAdmitted || tries++ > 1000,
            "a device is approved over another connection");

        setting.Backend.HelperConnections.Count.ShouldBe(2);
    }

    [Fact]
    public async Task What_the_device_asked_for_before_and_was_granted_is_approved_with_it()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        await setting.ShouldBeApprovedAsync(_device, "operator.write");
        setting.Backend.Distort = request => request["scopes"] = new System.Text.Json.Nodes.JsonArray("operator.approvals", "operator.write", "operator.read");

        (await setting.ConnectAsync(_device, "operator.approvals")).ShouldBeToldToConnectAgain();
    }

    [Fact]
    public async Task What_an_operator_takes_meanwhile_is_not_approved_though_the_session_goes_on()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        await setting.ShouldBeApprovedAsync(_device, "operator.write");
        setting.Backend.Distort = request => request["scopes"] = new System.Text.Json.Nodes.JsonArray("operator.read", "operator.write");
        setting.Backend.AnswerCall = async (helper, call) =>
        {
            if (call.GetProperty("method").GetString() == "device.pair.list")
                (await setting.Gateway.NarrowAsync(_device, "operator", "operator.read")).ShouldBeTrue();
            await setting.Backend.AnswerHonestlyAsync(helper, call);
        };

        (await setting.ConnectAsync(_device, "operator.read")).ShouldBeToldToTryLater();

        setting.Backend.Approvals.Count().ShouldBe(1, "only the first");
    }

    [Fact]
    public async Task A_session_that_is_over_before_the_backend_is_asked_approves_nothing()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        var asked = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        setting.Backend.AnswerCall = async (helper, call) =>
        {
            asked.TrySetResult();
            await answer.Task;
            await setting.Backend.AnswerHonestlyAsync(helper, call);
        };
        Task<Outcome> connecting = setting.ConnectAsync(_device);
        await asked.Task.WaitAsync(Eventually.Patience);

        await setting.Gateway.RemoveAsync(_device);
        (await connecting).ShouldBeClosed(1008, "device removed");
        answer.SetResult();

        // The next approval goes over the same connection, so that what came before it is over.
        await setting.ShouldBeApprovedAsync(new TestDevice());
        setting.Backend.Approvals.ShouldBe([setting.Backend.RequestIds.Last()]);
        setting.Backend.HelperConnections.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_client_that_leaves_meanwhile_costs_others_nothing()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        var asked = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        setting.Backend.AnswerCall = async (helper, call) =>
        {
            asked.TrySetResult();
            await answer.Task;
            await setting.Backend.AnswerHonestlyAsync(helper, call);
        };
        FrameConnection client = await TestClient.AskAsync(setting.Gateway.Port, _device);
        await asked.Task.WaitAsync(Eventually.Patience);

        await client.DisposeAsync();
        await setting.AuditAsync(AuditKinds.SessionClosed);
        answer.SetResult();

        await setting.ShouldBeApprovedAsync(new TestDevice());
        setting.Backend.Approvals.ShouldBe([setting.Backend.RequestIds.Last()], "nothing is approved for a client that has left");
        setting.Backend.HelperConnections.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_backend_that_does_not_let_the_gate_in_is_reported_without_the_token()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.ExpectedToken = "another";

        (await setting.ConnectAsync(_device)).ShouldBeToldToTryLater();

        setting.Gateway.Log.Of(1124).ShouldHaveSingleItem().ShouldContain("could not approve it: it refuses: INVALID_REQUEST AUTH_TOKEN_MISMATCH");
        setting.Gateway.Log.Lines.ShouldAllBe(l => !l.Text.Contains(PairingBackend.Token, StringComparison.Ordinal));
    }

    [Fact]
    public async Task After_a_failure_the_next_attempt_waits()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.ExpectedToken = "another";
        (await setting.ConnectAsync(new TestDevice())).ShouldBeToldToTryLater();
        (await setting.ConnectAsync(new TestDevice())).ShouldBeToldToTryLater();
        int attempts = setting.Backend.Helpers.Count;

        attempts.ShouldBe(1, "the second came within a second");
        setting.Gateway.Log.Of(1124).Last().ShouldContain("the connection to it has failed just now");
    }

    [Fact]
    public async Task The_connection_is_closed_when_the_gateway_ends()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        await setting.ShouldBeApprovedAsync(_device);
        FrameConnection helper = setting.Backend.HelperConnections.ShouldHaveSingleItem();

        await setting.Gateway.StopAsync();

        await helper.Completion;
    }

    [Fact]
    public async Task A_token_that_is_taken_away_closes_the_connection_and_nothing_is_approved_any_more()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        await setting.ShouldBeApprovedAsync(_device);
        FrameConnection helper = setting.Backend.HelperConnections.ShouldHaveSingleItem();

        setting.Gateway.Reload((TokenKey, "another-token"));

        await helper.Completion;
        (await setting.ConnectAsync(new TestDevice())).ShouldBeToldToTryLater();
        setting.Backend.Helpers.Last().GetProperty("params").GetProperty("auth").GetProperty("token").GetString().ShouldBe("another-token");
    }

    [Fact]
    public async Task A_file_with_the_token_is_read_for_each_connection()
    {
        string folder = Directory.CreateTempSubdirectory("token-").FullName;
        string file = Path.Combine(folder, "token");
        try
        {
            WriteToken(file, PairingBackend.Token + "\n");
            await using PairingSetting setting = await PairingSetting.StartAsync(new()
            {
                ["DeviceAuth:Backends:AGENT:OpenClaw:TokenFile"] = file, // clusters are told apart without regard to case, as YARP does
                ["DeviceAuth:HandshakeTimeout"] = "00:00:20",
            });
            await setting.ShouldBeApprovedAsync(new TestDevice());

            WriteToken(file, "renewed");
            setting.Backend.ExpectedToken = "renewed";
            FrameConnection kept = setting.Backend.HelperConnections.Single();
            kept.Request!.Abort();
            kept.Complete();
            await Eventually.HoldsAsync(async () => (await setting.ConnectAsync(_device)).IsAdmitted, "a device is approved with the new token");

            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead);
            FrameConnection second = setting.Backend.HelperConnections.Last();
            second.Request!.Abort();
            second.Complete();
            await Eventually.HoldsAsync(
                async () =>
                {
                    (await setting.ConnectAsync(new TestDevice())).IsAdmitted.ShouldBeFalse();
                    return setting.Gateway.Log.Of(1124).Any(l => l.Contains("its token cannot be read", StringComparison.Ordinal));
                },
                "a file that others may read is not taken");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_gateway_whose_token_others_may_read_does_not_start()
    {
        string folder = Directory.CreateTempSubdirectory("token-").FullName;
        string file = Path.Combine(folder, "token");
        try
        {
            WriteToken(file, PairingBackend.Token);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.OtherRead);
            await Should.ThrowAsync<InvalidDataException>(() => PairingSetting.StartAsync(new() { ["DeviceAuth:Backends:agent:OpenClaw:TokenFile"] = file }));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_backend_of_a_cluster_that_there_is_not_is_warned_of()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync(new()
        {
            [TokenKey] = PairingBackend.Token,
            ["DeviceAuth:Backends:agnet:OpenClaw:Token"] = PairingBackend.Token,
        });

        setting.Gateway.Log.Of(1127).ShouldBe(["DeviceAuth:Backends:agnet:OpenClaw is of no use: the proxy has no cluster agnet. Is it misspelt?"]);
        setting.Gateway.Reload(("DeviceAuth:Backends:gate:OpenClaw:Token", "another"));
        setting.Gateway.Log.Of(1127).ShouldContain(l => l.Contains("no cluster gate.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_refusal_is_found_however_it_comes()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.SendRefusal = async (device, refusal) =>
        {
            byte[] text = Encoding.UTF8.GetBytes(refusal);
            byte[] frames =
            [
                .. FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes("""{"type":"event","event":"tick"}"""), masked: false),
                .. FrameConnection.Encode(Opcode.Text, text.AsSpan(0, 40), masked: false, isFinal: false),
                .. FrameConnection.Encode(Opcode.Ping, "p"u8, masked: false),
                .. FrameConnection.Encode(Opcode.Continuation, text.AsSpan(40), masked: false),
            ];
            foreach (byte one in frames)
                await device.SendRawAsync([one]);
        };
        FrameConnection client = await TestClient.AskAsync(setting.Gateway.Port, _device);

        JsonElement tick = await client.ReceiveJsonAsync();
        Outcome outcome = await TestClient.OutcomeAsync(client);

        tick.GetProperty("event").GetString().ShouldBe("tick");
        outcome.ShouldBeToldToConnectAgain();
    }

    private static void WriteToken(string file, string token)
    {
        File.Delete(file);
        using var stream = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(Encoding.UTF8.GetBytes(token));
    }
}
