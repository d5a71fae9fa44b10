using System.Buffers.Text;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>What the gate calls at a backend, and what the backend's answers come to; with a backend in memory and a clock that the test moves.</summary>
public sealed class PairingHelperCallTests : IAsyncLifetime, IDisposable
{
    private const string Token = "the-token";
    private const string MissingScope = """{"type":"res","id":"@","ok":false,"error":{"code":"INVALID_REQUEST","message":"missing scope: operator.pairing"}}""";
    private const string FailedJustNow = "the connection to it has failed just now";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _gone = new();
    private readonly MemoryBackend _backend;
    private readonly PairingHelper _helper;
    private readonly BackendGrant _grant;

    public PairingHelperCallTests()
    {
        _backend = new MemoryBackend(_claim.Device.ToString());
        _helper = Helper(new OpenClawBackendOptions { Token = Token });
        _grant = new BackendGrant(_claim, Some.Paired(_claim, DateTimeOffset.UnixEpoch), ScopeImplications.Default);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _helper.DisposeAsync();

    public void Dispose()
    {
        _gone.Dispose();
        _backend.Dispose();
    }

    [Theory]
    [InlineData(null, "127.0.0.1:1")]
    [InlineData("agent.example", "agent.example")]
    public async Task The_backend_is_reached_by_the_host_that_it_is_configured_with(string? host, string expected)
    {
        await ApproveAsync(destination: _backend.Destination(host: host));

        HttpRequestMessage request = _backend.Requests.ShouldHaveSingleItem();
        (request.Headers.Host ?? request.RequestUri!.Authority).ShouldBe(expected);
    }

    // ---- the calls

    [Fact]
    public async Task The_gate_connects_without_a_device_and_approves_what_is_listed()
    {
        (await ApproveAsync()).ShouldBe("approved");

        _backend.Calls.Count.ShouldBe(3);
        string platform = OperatingSystem.IsWindows() ? "win32" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        _backend.Calls[0].ShouldMatch($$"""
            ^connect \{"minProtocol":3,"maxProtocol":4,"client":\{"id":"gateway-client","displayName":"ProxyGateway","version":"[^"]+","platform":"{{platform}}","mode":"backend"\},"role":"operator","scopes":\["operator.admin","operator.pairing"\],"caps":\[\],"auth":\{"token":"the-token"\}\}$
            """);
        _backend.Calls[1..].ShouldBe(["device.pair.list {}", """device.pair.approve {"requestId":"r1"}"""]);
    }

    // What the backend begins with, in place of its challenge.
    [Theory]
    [InlineData("""{"payload":{"event":"x"},"event":"connect.challenge"}""", true)]
    [InlineData("""{"type":"event","event":"tick"}""", false)]
    [InlineData("""{"type":"event","event":1}""", false)]
    [InlineData("""{"type":"event","event":null,"event":"connect.challenge"}""", false)]
    [InlineData("""{"payload":{"event":"connect.challenge"}}""", false)]
    [InlineData("""[["event","connect.challenge"]]""", false)]
    [InlineData("""{"event":""", false)]
    [InlineData("hello", false)]
    public async Task The_token_is_shown_to_a_backend_that_begins_with_a_challenge(string first, bool isChallenge)
    {
        _backend.Challenge = first;

        (await ApproveAsync()).ShouldBe(isChallenge ? "approved" : "it does not begin with a connect.challenge");

        _backend.Calls.Any(c => c.Contains(Token, StringComparison.Ordinal)).ShouldBe(isChallenge);
    }

    // The answer to one call; the outcome; and whether the connection is kept for other devices. "$" stands for the device's id.
    [Theory]
    [InlineData("connect", """{"type":"res","id":"@","ok":false,"error":{"code":"INVALID_REQUEST","message":"unauthorized"}}""", "it refuses: INVALID_REQUEST (unauthorized)", false)]
    [InlineData("connect", """{"type":"res","id":"@","ok":"true","payload":{}}""", "it refuses: no reason ()", false)]
    [InlineData("connect", """{"type":"res","id":"@","ok":true}""", "it refuses: no reason ()", false)]
    [InlineData("connect", """{"type":"res","id":"@","ok":true,"payload":[]}""", "it refuses: no reason ()", false)]
    [InlineData("connect", """{"type":"res","id":"@","ok":true,"ok":true,"payload":{}}""", "its answer is not understood", false)]
    [InlineData("connect", """{"type":"res","type":"res","id":"@","ok":true,"payload":{}}""", "its answer is not understood", false)]
    [InlineData("connect", """{"id":"@","id":"@","type":"res","ok":true,"payload":{}}""", "its answer is not understood", false)]
    [InlineData("connect", """{"type":"res","id":"@","ok":false,"error":{"code":"NO","message":"not the-token"}}""", "it refuses, in words that have the token in them, which must not get into a log", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{}}""", "it has no such request any more", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":null}}""", "it has no such request any more", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r2","deviceId":"$","role":"operator"}]}}""", "it has no such request any more", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","role":"operator"},{"requestId":"r1","deviceId":"$","role":"operator"}]}}""", "it has two requests of this id", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","role":"operator"}]}}""", "what it says of its requests is not understood (deviceId)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":1}]}}""", "what it says of its requests is not understood (requestId)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":["r1"]}}""", "what it says of its requests is not understood (requestId)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":{}}}""", "what it says of its requests is not understood (pending)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","role":1}]}}""", "what it says of its requests is not understood (role)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","roles":"operator"}]}}""", "what it says of its requests is not understood (roles)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","role":"operator","scopes":[1]}]}}""", "what it says of its requests is not understood (scopes)", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","role":"operator","scopes":["\ud800"]}]}}""", "its answer is not understood", false)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$"}]}}""", "the request is for more than the gate has granted, or for another device: $ as  with []. Only its owner can approve that", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"other","role":"operator"}]}}""", "the request is for more than the gate has granted, or for another device: other as operator with []. Only its owner can approve that", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","role":"node","roles":["operator"],"scopes":["operator.admin","a"]}]}}""", "the request is for more than the gate has granted, or for another device: $ as node operator with [a operator.admin]. Only its owner can approve that", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","role":"operator","roles":null,"scopes":["operator.read"]}]}}""", "approved", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"$","roles":["operator"]}]}}""", "approved", true)]
    [InlineData("device.pair.list", """{"type":"res","id":"@","ok":false,"error":{"code":"BUSY","message":"later"}}""", "it refuses: BUSY (later)", true)]
    [InlineData("device.pair.list", "end", "it has left", false)]
    [InlineData("device.pair.approve", """{"type":"res","id":"@","ok":false,"error":{"code":"INVALID_REQUEST","message":"unknown requestId"}}""", "it refuses: INVALID_REQUEST (unknown requestId)", true)]
    [InlineData("device.pair.approve", """{"type":"res","id":"@","ok":false,"error":{"code":"NO","message":"the-token"}}""", "it refuses, in words that have the token in them, which must not get into a log", true)]
    [InlineData("device.pair.approve", """{"type":"res","id":"@","ok":true,"payload":{}}""", "it says that it has approved another device", false)]
    [InlineData("device.pair.approve", """{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1"}}""", "it says that it has approved another device", false)]
    [InlineData("device.pair.approve", """{"type":"res","id":"@","ok":true,"payload":{"requestId":"r2","device":{"deviceId":"$"}}}""", "it says that it has approved another device", false)]
    [InlineData("device.pair.approve", """{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1","device":{"deviceId":"other"}}}""", "it says that it has approved another device", false)]
    [InlineData("device.pair.approve", "end", "it has left", false)]
    public async Task What_the_backend_answers_decides_what_comes_of_it(string method, string answer, string expected, bool isKept)
    {
        _backend.Answers[method] = [answer.Replace("$", _claim.Device.ToString(), StringComparison.Ordinal)];

        string outcome = await ApproveAsync();

        string device = _claim.Device.ToString();
        outcome.ShouldBe(expected.Replace("$", SafeText.Of(device), StringComparison.Ordinal));
        outcome.ShouldNotContain(Token);
        _backend.AnswerHonestly();
        (await ApproveAsync()).ShouldBe(isKept ? "approved" : FailedJustNow);
        _backend.Connections.Count.ShouldBe(1);
    }

    // What comes before the answer.
    [Theory]
    [InlineData("""{"type":"event","event":"tick","payload":{}}""", "approved")]
    [InlineData("""{"type":"event","id":"@","ok":true,"payload":{}}""", "approved")]
    [InlineData("""{"type":"res","id":"another","ok":true,"payload":{}}""", "approved")]
    [InlineData("""{"type":"res","id":1,"ok":true,"payload":{}}""", "approved")]
    [InlineData("""{"type":1,"id":"@","ok":true,"payload":{}}""", "approved")]
    [InlineData("""{"id":"@","ok":true,"payload":{"type":"res"}}""", "approved")]
    [InlineData("""{"type":"res","payload":{"id":"@"},"ok":true}""", "approved")]
    [InlineData("""[{"type":"res","id":"@"}]""", "approved")]
    [InlineData("""{"type":"res","id":"@"]""", "approved")]
    [InlineData("""{"type":"res",""", "approved")]
    [InlineData("no message", "approved")]
    [InlineData("end", "it has left")]
    public async Task Messages_that_are_not_the_answer_are_not_taken_for_it(string message, string expected)
    {
        foreach (string method in (string[])["device.pair.list", "device.pair.approve", .. message == "end" ? Array.Empty<string>() : ["connect"]])
        {
            using var backend = new MemoryBackend(_claim.Device.ToString());
            backend.Answers[method] = [message, .. backend.Answers[method]];
            await using PairingHelper helper = Helper(new OpenClawBackendOptions { Token = Token });

            (await ApproveAsync(helper, destination: backend.Destination())).ShouldBe(expected, method);
        }
    }

    [Fact]
    public async Task An_answer_may_name_its_members_in_any_order()
    {
        _backend.Answers["device.pair.approve"] = [$$$"""{"payload":{"device":{"deviceId":"{{{_claim.Device}}}"},"requestId":"r1","type":"x","id":"y"},"ok":true,"id":"@","type":"res"}"""];

        (await ApproveAsync()).ShouldBe("approved");
    }

    [Fact]
    public async Task A_backend_that_sends_no_text_is_left()
    {
        _backend.OnCall = method => method == "device.pair.list" ? _backend.Connections[0].SendAsync(Opcode.Binary, "x") : Task.CompletedTask;

        (await ApproveAsync()).ShouldBe("it sends what is no text");
        (await ApproveAsync()).ShouldBe(FailedJustNow);
    }

    // How many messages of the greatest length come before an answer, and what behind them.
    [Theory]
    [InlineData(8, null, "approved")]
    [InlineData(8, "", "it sends too much that it was not asked for")]
    [InlineData(0, "a longer one", "it sends a message of more than 8388608 bytes")]
    public async Task What_a_backend_sends_unasked_is_bounded(int messages, string? last, string expected)
    {
        _backend.OnCall = async method =>
        {
            if (method != "device.pair.list")
                return;
            Endpoint connection = _backend.Connections[0];
            byte[] longest = connection.Frame(Opcode.Text, """{"type":"event"}""".PadRight(PairingConnection.MaxMessageBytes));
            for (int i = 0; i < messages; i++)
                await connection.SendAsync(longest);
            if (last is not null)
                await connection.SendAsync(last.Length == 0 ? "{}" : new string(' ', PairingConnection.MaxMessageBytes + 1));
        };

        (await ApproveAsync()).ShouldBe(expected);
    }

    [Fact]
    public async Task A_call_on_a_connection_that_has_ended_fails()
    {
        await using PairingConnection connection = await PairingConnection.OpenAsync(_backend.Destination(), Token, device: null, default);
        await _backend.Connections[0].CloseAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(!connection.IsOpen), "it has ended", Endpoint.Patience);

        BackendPairingException failure = await Should.ThrowAsync<BackendPairingException>(() => connection.CallAsync("device.pair.list", _ => { }, _ => true, default));

        failure.Message.ShouldBe("it has left");
    }

    // The gate's own words and the backend's are told apart: only the latter are cut, and have what could forge lines of a log removed.
    [Fact]
    public async Task What_a_backend_says_that_cannot_be_reached_is_safe_to_log()
    {
        _backend.IsReachable = false;

        (await ApproveAsync()).ShouldMatch("""^it cannot be reached \(WebSocketException: .* <- HttpRequestException: evil \[31m\)$""");
    }

    [Fact]
    public async Task The_gate_says_its_version()
    {
        await ApproveAsync();

        string version = typeof(PairingConnection).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>().ShouldNotBeNull().InformationalVersion;
        _backend.Calls[0].ShouldContain($"\"version\":{JsonSerializer.Serialize(version)}");
    }

    // ---- a device of the gate's own

    [Fact]
    public async Task A_backend_that_gives_scopes_to_devices_alone_gets_one()
    {
        GiveScopesToDevicesAlone();

        (await ApproveAsync()).ShouldBe("approved");
        (await ApproveAsync(destination: _backend.Destination("ws://127.0.0.1:2/"))).ShouldBe("approved");

        JsonElement[] connects = [.. _backend.Calls.Where(c => c.StartsWith("connect ", StringComparison.Ordinal)).Select(c => JsonSerializer.Deserialize<JsonElement>(c["connect ".Length..]))];
        connects.Length.ShouldBe(3, "without a device, with it, and with the same one at another address");
        connects[0].TryGetProperty("device", out _).ShouldBeFalse();
        JsonElement device = connects[1].GetProperty("device");
        byte[] key = Base64Url.DecodeFromChars(device.GetProperty("publicKey").GetString());
        string id = device.GetProperty("id").GetString()!;
        id.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(key)));
        device.GetProperty("nonce").GetString().ShouldBe("n");
        device.GetProperty("signedAt").GetInt64().ShouldBe(_time.GetUtcNow().ToUnixTimeMilliseconds());
        string signed = $"v2|{id}|gateway-client|backend|operator|operator.admin,operator.pairing|{_time.GetUtcNow().ToUnixTimeMilliseconds()}|the-token|n";
        SignatureAlgorithm.Ed25519.Verify(
            PublicKey.Import(SignatureAlgorithm.Ed25519, key, KeyBlobFormat.RawPublicKey),
            Encoding.UTF8.GetBytes(signed),
            Base64Url.DecodeFromChars(device.GetProperty("signature").GetString())).ShouldBeTrue();
        connects[2].GetProperty("device").GetProperty("id").GetString().ShouldBe(id);
    }

    [Fact]
    public async Task A_backend_that_gives_no_scopes_to_a_device_either_is_not_asked_again_and_again()
    {
        const string missing = "it refuses: INVALID_REQUEST (missing scope: operator.pairing)";
        _backend.Answers["device.pair.list"] = [MissingScope];

        (await ApproveAsync()).ShouldBe(missing);
        (await ApproveAsync()).ShouldBe(missing);

        _backend.Connections.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("""{"event":"connect.challenge"}""", "its connect.challenge has no nonce")]
    [InlineData("""{"event":"connect.challenge","payload":{}}""", "its connect.challenge has no nonce")]
    [InlineData("""{"event":"connect.challenge","payload":{"nonce":1}}""", "what it says of its requests is not understood (nonce)")]
    [InlineData("""{"event":"connect.challenge","payload":1}""", "what it says of its requests is not understood (nonce)")]
    public async Task Without_a_nonce_nothing_is_signed(string challenge, string expected)
    {
        GiveScopesToDevicesAlone();
        _backend.Challenge = challenge;

        (await ApproveAsync()).ShouldBe(expected);
        (await ApproveAsync()).ShouldBe(FailedJustNow);

        _backend.Calls.Count(c => c.StartsWith("connect ", StringComparison.Ordinal)).ShouldBe(1);
    }

    // ---- what the gate grants

    [Fact]
    public async Task What_the_gate_grants_is_read_after_the_backends_list_and_may_be_nothing()
    {
        int calls = -1;

        string outcome = await ApproveAsync(readGrant: _ =>
        {
            calls = _backend.Calls.Count;
            throw new BackendPairingException("the grant is gone");
        });

        (outcome, calls).ShouldBe(("the grant is gone", 2));
        _backend.Calls.Count.ShouldBe(2, "nothing is approved");
        (await ApproveAsync()).ShouldBe("approved");
        _backend.Connections.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_client_that_leaves_during_the_list_has_nothing_approved_and_costs_others_nothing()
    {
        _backend.OnCall = method => method == "device.pair.list" ? _gone.CancelAsync() : Task.CompletedTask;

        (await ApproveAsync()).ShouldBe("the client has left, or its grant is gone");

        _backend.Calls.ShouldNotContain(call => call.StartsWith("device.pair.approve", StringComparison.Ordinal));
        (await ApproveAsync(gone: CancellationToken.None)).ShouldBe("approved");
        _backend.Connections.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_waits_for_its_turn_is_not_waited_for()
    {
        _backend.Answers["device.pair.list"] = [];
        Task<string> first = ApproveAsync(gone: CancellationToken.None);
        Task<string> second = ApproveAsync();

        await _gone.CancelAsync();

        (await second).ShouldBe("the client has left, or its grant is gone");
        first.IsCompleted.ShouldBeFalse();
    }

    // ---- time

    [Theory]
    [InlineData("connect", 1)]
    [InlineData("device.pair.list", 2)]
    [InlineData("device.pair.approve", 3)]
    public async Task A_backend_that_does_not_answer_is_left_after_the_patience(string method, int calls)
    {
        _backend.Answers[method] = [];
        Task<string> approving = ApproveAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(_backend.Calls.Count == calls), "it is called", Endpoint.Patience);

        _time.Advance(Patience - TimeSpan.FromMilliseconds(1));
        approving.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));

        (await approving).ShouldBe("it took longer than 00:00:10");
        _backend.AnswerHonestly();
        (await ApproveAsync()).ShouldBe(FailedJustNow);
    }

    [Fact]
    public async Task A_backend_that_does_not_answer_the_removal_is_left_after_five_seconds()
    {
        _backend.Answers["device.pair.approve"] =
            [$$"""{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1","device":{"deviceId":"{{_claim.Device}}","roles":["operator"],"scopes":["operator.admin"]} } }"""];
        _backend.Answers["device.pair.remove"] = [];
        Task<string> approving = ApproveAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(_backend.Calls.Count == 4), "it is called", Endpoint.Patience);

        _time.Advance(TimeSpan.FromSeconds(5));

        (await approving).ShouldContain("and the gate could not take it back");
        (await ApproveAsync()).ShouldBe(FailedJustNow);
    }

    [Fact]
    public async Task Each_failure_in_a_row_doubles_the_wait_for_the_next_attempt_up_to_half_a_minute()
    {
        _backend.IsReachable = false;
        foreach (int seconds in (int[])[1, 2, 4, 8, 16, 30, 30])
        {
            (await ApproveAsync()).ShouldStartWith("it cannot be reached");
            _time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1));
            (await ApproveAsync()).ShouldBe(FailedJustNow, $"{seconds} s");
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        _backend.IsReachable = true;
        (await ApproveAsync()).ShouldBe("approved");
        _backend.Answers["device.pair.list"] = ["end"];
        (await ApproveAsync()).ShouldBe("it has left");
        _backend.AnswerHonestly();
        _time.Advance(TimeSpan.FromSeconds(1));
        (await ApproveAsync()).ShouldBe("approved", "a success is forgiven all");
        _backend.Connections.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_connection_is_closed_after_a_minute_without_use()
    {
        TimeSpan almost = PairingHelper.IdleTimeout - TimeSpan.FromMilliseconds(1);
        await ApproveAsync();
        _time.Advance(almost);
        await ApproveAsync();
        _time.Advance(almost);
        _backend.Connections.ShouldHaveSingleItem().Stream.IsReading.ShouldBeTrue("it is open");
        (await ApproveAsync()).ShouldBe("approved");
        _time.Advance(almost);
        _backend.Connections.ShouldHaveSingleItem("each use counts").Stream.IsReading.ShouldBeTrue();

        _time.Advance(TimeSpan.FromMilliseconds(1));

        await Eventually.HoldsAsync(() => Task.FromResult(!_backend.Connections[0].Stream.IsReading), "it is closed", Endpoint.Patience);
        (await ApproveAsync()).ShouldBe("approved");
        _backend.Connections.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_connection_in_use_is_not_closed_as_idle()
    {
        await ApproveAsync();
        _backend.Answers["device.pair.list"] = [];
        Task<string> approving = ApproveAsync(patience: TimeSpan.FromHours(1));
        await Eventually.HoldsAsync(() => Task.FromResult(_backend.Calls.Count == 4), "it is called", Endpoint.Patience);

        _time.Advance(2 * PairingHelper.IdleTimeout);

        _backend.Connections.ShouldHaveSingleItem().Stream.IsReading.ShouldBeTrue();
        approving.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_backend_that_leaves_before_it_has_let_the_gate_in_is_not_reached()
    {
        _backend.Answers["connect"] = ["end"];

        (await ApproveAsync()).ShouldStartWith("it cannot be reached (WebSocketException");
        (await ApproveAsync()).ShouldBe(FailedJustNow);
    }

    [Fact]
    public async Task A_backend_that_leaves_is_connected_again()
    {
        await ApproveAsync();
        await _backend.Connections[0].CloseAsync();
        await Eventually.HoldsAsync(async () => await ApproveAsync() == "approved" && _backend.Connections.Count == 2, "it is connected again", Endpoint.Patience);
    }

    [Fact]
    public async Task A_destination_that_moves_is_connected_again()
    {
        await ApproveAsync();

        (await ApproveAsync(destination: _backend.Destination("ws://127.0.0.1:2/"))).ShouldBe("approved");

        _backend.Requests.Select(r => r.RequestUri!.Port).ShouldBe([1, 2]);
        await Eventually.HoldsAsync(() => Task.FromResult(!_backend.Connections[0].Stream.IsReading), "the first is closed", Endpoint.Patience);
    }

    [Fact]
    public async Task A_helper_that_ends_refuses_and_closes_its_connection()
    {
        _backend.Answers["device.pair.list"] = [];
        PairingHelper helper = Helper(new OpenClawBackendOptions { Token = Token });
        Task<string> approving = ApproveAsync(helper);
        await Eventually.HoldsAsync(() => Task.FromResult(_backend.Calls.Count == 2), "it is called", Endpoint.Patience);

        await helper.DisposeAsync().AsTask().WaitAsync(Endpoint.Patience);

        (await approving).ShouldBe("the gateway ends, or its configuration has changed");
        (await ApproveAsync(helper)).ShouldBe("the gateway ends, or its configuration has changed");
        await Eventually.HoldsAsync(() => Task.FromResult(!_backend.Connections[0].Stream.IsReading), "it is closed", Endpoint.Patience);
    }

    // ---- files

    [Fact]
    public async Task A_file_with_the_token_is_read_for_each_connection()
    {
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        string file = Path.Combine(folder, "token");
        File.WriteAllText(file, "first\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using PairingHelper helper = Helper(new OpenClawBackendOptions { TokenFile = "token" }, folder);

        (await ApproveAsync(helper)).ShouldBe("approved");
        File.WriteAllText(file, "second");
        (await ApproveAsync(helper, destination: _backend.Destination("ws://127.0.0.1:2/"))).ShouldBe("approved");
        File.WriteAllText(file, "no token");
        string malformed = await ApproveAsync(helper, destination: _backend.Destination("ws://127.0.0.1:3/"));
        _time.Advance(TimeSpan.FromSeconds(1));
        File.Delete(file);
        string missing = await ApproveAsync(helper, destination: _backend.Destination("ws://127.0.0.1:3/"));
        Directory.Delete(folder);

        _backend.Calls.Where(c => c.StartsWith("connect ", StringComparison.Ordinal)).Select(c => c.Split("\"token\":\"")[1]).ShouldBe(["first\"}}", "second\"}}"]);
        malformed.ShouldBe($"its token cannot be read: {file} holds no token of an OpenClaw gateway; allowed: 1 to 4096 visible ASCII characters.");
        missing.ShouldBe($"its token cannot be read: There is no file {file} with the token of an OpenClaw gateway.");
    }

    // As OpenClaw 2026.3.28.
    private void GiveScopesToDevicesAlone()
    {
        _backend.Answers["device.pair.list"] = [MissingScope];
        _backend.OnCall = _ =>
        {
            if (_backend.Calls[^1].Contains("\"device\":", StringComparison.Ordinal))
                _backend.AnswerHonestly();
            return Task.CompletedTask;
        };
    }

    private PairingHelper Helper(OpenClawBackendOptions options, string contentRoot = "/") => new(options, contentRoot, _time, new BackendLog(NullLogger.Instance));

    /// <summary><c>approved</c>, or why it is not.</summary>
    private async Task<string> ApproveAsync(
        PairingHelper? helper = null, BackendDestination? destination = null, Func<CancellationToken, ValueTask<BackendGrant>>? readGrant = null,
        TimeSpan? patience = null, CancellationToken? gone = null)
    {
        try
        {
            await (helper ?? _helper)
                .ApproveAsync(destination ?? _backend.Destination(), _claim.Device, readGrant ?? (_ => ValueTask.FromResult(_grant)), "r1", patience ?? Patience, gone ?? _gone.Token)
                .WaitAsync(Endpoint.Patience);
            return "approved";
        }
        catch (BackendPairingException e)
        {
            return e.Message;
        }
    }
}
