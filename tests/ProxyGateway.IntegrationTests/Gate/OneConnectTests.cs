using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>
/// Between the <c>connect</c> request that was let through and the backend's <c>ok:true</c> to it, nothing of the client gets through:
/// there are backends that take the last of several requests for the one that counts. Tests play the backend.
/// </summary>
public sealed class OneConnectTests(OneConnectTests.PlayedBackend shared) : IClassFixture<OneConnectTests.PlayedBackend>
{
    private const string Id = "connect-1";

    // None of these accepts the request; each is followed by the refusal.
    private static readonly Dictionary<string, string> Decoys = new()
    {
        ["nothing"] = """{"type":"event","event":"tick"}""",
        ["another id"] = Protocol.HelloOk("connect-2"),
        ["another id, ours beneath"] = """{"type":"res","id":"connect-2","ok":true,"payload":{"type":"res","id":"connect-1","ok":true}}""",
        ["no id, ours beneath"] = """{"type":"res","ok":true,"payload":{"id":"connect-1"}}""",
        ["ours only beneath"] = """{"payload":{"type":"res","id":"connect-1","ok":true}}""",
        ["ours only in a list"] = """[{"type":"res","id":"connect-1","ok":true}]""",
        ["flat in a list"] = """["type","res","id","connect-1","ok",true]""",
        ["an event"] = """{"type":"event","id":"connect-1","ok":true}""",
        ["a request"] = """{"type":"req","id":"connect-1","ok":true}""",
        ["type in another case"] = """{"type":"RES","id":"connect-1","ok":true}""",
        ["id in another case"] = """{"type":"res","id":"CONNECT-1","ok":true}""",
        ["id in a list"] = """{"type":"res","id":["connect-1"],"ok":true}""",
        ["id in an object"] = """{"type":"res","id":{"id":"connect-1"},"ok":true}""",
        ["id padded"] = """{"type":"res","id":"connect-1 ","ok":true}""",
        ["names in another case"] = """{"Type":"res","Id":"connect-1","Ok":true}""",
        ["a text about it"] = """{"type":"event","text":"{\"type\":\"res\",\"id\":\"connect-1\",\"ok\":true}"}""",
    };

    // Each of these answers the request, and does not say that it is accepted.
    private static readonly Dictionary<string, string> NotAccepted = new()
    {
        ["ok false"] = Protocol.Refusal(Id),
        ["ok missing"] = """{"type":"res","id":"connect-1","payload":{"type":"hello-ok","ok":true}}""",
        ["ok a text"] = """{"type":"res","id":"connect-1","ok":"true"}""",
        ["ok a number"] = """{"type":"res","id":"connect-1","ok":1}""",
        ["ok null"] = """{"type":"res","id":"connect-1","ok":null}""",
        ["ok a list of it"] = """{"type":"res","id":"connect-1","ok":[true]}""",
        ["ok an object with it"] = """{"type":"res","id":"connect-1","ok":{"ok":true}}""",
        ["ok first false, then true"] = """{"type":"res","id":"connect-1","ok":false,"ok":true}""",
        ["ok first true, then false"] = """{"type":"res","id":"connect-1","ok":true,"ok":false}""",
        ["ok twice true"] = """{"type":"res","id":"connect-1","ok":true,"\u006fk":true}""",
        ["two ids"] = """{"type":"res","id":"connect-2","id":"connect-1","ok":true}""",
        ["two types"] = """{"type":"event","type":"res","id":"connect-1","ok":true}""",
        ["ok true beneath"] = """{"type":"res","payload":{"ok":true},"id":"connect-1","ok":false,"more":{"ok":true}}""",
    };

    // Each accepts the request, though not in so many words.
    private static readonly Dictionary<string, string> Accepted = new()
    {
        ["as usual"] = Protocol.HelloOk(Id),
        ["id with escapes"] = """{"type":"res","id":"\u0063onnect\u002d1","ok":true}""",
        ["names with escapes"] = """{"\u0074ype":"\u0072es","i\u0064":"connect-1","o\u006b":true}""",
        ["in another order, decoys first"] = """{"payload":{"id":"x","ok":false,"type":"event"},"ok":true,"list":["id",{"ok":false}],"id":"connect-1","type":"res"}""",
        ["with blanks"] = " {\n\"type\" : \"res\" ,\t\"id\" : \"connect-1\" , \"ok\" : true } \r\n",
    };

    public static TheoryData<string> Acceptances => [.. Accepted.Keys];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_second_connect_waits_for_the_answer_to_the_first(bool fragmented)
    {
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        var device = new TestDevice();
        byte[] first = Encode(new Ask { Scopes = ["operator.read"] }.SignedBy(device), fragmented);
        byte[] second = Encode(new Ask { Id = "connect-2", Scopes = ["operator.admin"] }.SignedBy(device), fragmented);
        await encounter.Client.SendRawAsync([.. first, .. second]);

        await ReceiveConnectAsync(encounter.Backend);
        Task<Frame?> next = encounter.Backend.ReceiveAsync();
        await encounter.Backend.SendTextAsync("""{"type":"event","event":"tick"}""");
        (await encounter.Client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("tick");
        encounter.Backend.Received.ToArray().ShouldBe(first);
        next.IsCompleted.ShouldBeFalse();

        await encounter.Backend.SendTextAsync(Protocol.HelloOk(Id));

        await encounter.ShouldBeAdmittedAsync();
        Frame frame = (await next).ShouldNotBeNull();
        while (!frame.IsFinal)
        {
            frame = (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull();
        }

        encounter.Backend.Received.ToArray().ShouldBe([.. first, .. second]);

        // To the gate it is any request: it grants nothing.
        (await shared.Gateway.FindAsync(device))!.ScopesOf("operator").ShouldBe(["operator.read"]);
        encounter.Backend.Complete();
    }

    [Fact]
    public async Task Nothing_is_relayed_unless_the_backend_accepts()
    {
        string[][] conversations =
        [
            .. NotAccepted.Values.Select(a => new[] { a }),
            .. Decoys.Values.Select(d => new[] { d, Protocol.Refusal(Id) }),
        ];
        var encounters = new List<(Encounter, string[])>();
        foreach (string[] conversation in conversations)
        {
            encounters.Add((await Encounter.OpenAsync(shared.Gateway), conversation));
        }

        await Task.WhenAll(encounters.Select(e => ConverseAsync(e.Item1, e.Item2)));

        static async Task ConverseAsync(Encounter encounter, string[] conversation)
        {
            byte[] first = Encode(new Ask().SignedBy(new TestDevice()));
            byte[] second = Encode("""{"type":"req","id":"2","method":"connect"}""");
            await encounter.Client.SendRawAsync([.. first, .. second]);
            await ReceiveConnectAsync(encounter.Backend);
            foreach (string message in conversation)
            {
                await encounter.Backend.SendTextAsync(message);

                // What the backend says is passed on, whatever it is.
                (await encounter.Client.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe(message);
            }

            await encounter.Client.SendRawAsync(second);

            // The backend is given a moment to close, and then closed to.
            Frame close = await encounter.Client.ReceiveCloseAsync();
            $"{close.CloseCode} {close.CloseReason}".ShouldBe("1011 backend handshake failed", conversation[0]);
            Frame end = (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull();
            (end.Opcode, end.CloseCode).ShouldBe((Opcode.Close, 1000), conversation[0]);
            encounter.Backend.Received.ToArray().AsSpan(0, first.Length).ToArray().ShouldBe(first);
            encounter.Backend.Complete();
        }
    }

    [Fact]
    public async Task A_backend_that_refuses_closes_with_its_own_reason()
    {
        Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice());
        await ReceiveConnectAsync(encounter.Backend);

        await encounter.Backend.SendTextAsync(Protocol.Refusal(Id));
        await encounter.Backend.SendAsync(Opcode.Close, [0x03, 0xF0, .. "the backend says no"u8]);

        (await encounter.Client.ReceiveJsonAsync()).GetProperty("ok").GetBoolean().ShouldBeFalse();
        Frame close = await encounter.Client.ReceiveCloseAsync();
        $"{close.CloseCode} {close.CloseReason}".ShouldBe("1008 the backend says no");
        encounter.Backend.Complete();
        (await encounter.Client.ReceiveToEndAsync()).ShouldBeEmpty();
        shared.Gateway.Log.Of(1105).ShouldNotBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Acceptances))]
    public async Task An_acceptance_opens_the_connection(string what)
    {
        await using Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice());
        await ReceiveConnectAsync(encounter.Backend);

        await encounter.Backend.SendTextAsync(Accepted[what]);

        await ShouldBeOpenAsync(encounter);
    }

    [Fact]
    public async Task Messages_that_are_sent_early_are_held_and_delivered_in_order()
    {
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        byte[] connect = Encode(new Ask().SignedBy(new TestDevice()));
        byte[] large = new byte[1024 * 1024];
        new Random(1).NextBytes(large);
        byte[] early =
        [
            .. Encode("first"),
            .. FrameConnection.Encode(Opcode.Text, "sec"u8, masked: true, isFinal: false),
            .. FrameConnection.Encode(Opcode.Ping, "ping"u8, masked: true),
            .. FrameConnection.Encode(Opcode.Continuation, "ond"u8, masked: true),
            .. FrameConnection.Encode(Opcode.Binary, large, masked: true),
            .. Encode("last"),
        ];
        Task sending = encounter.Client.SendRawAsync([.. connect, .. early]);
        await ReceiveConnectAsync(encounter.Backend);

        await encounter.Backend.SendTextAsync(Protocol.HelloOk(Id));

        while ((await encounter.Backend.ReceiveAsync()).ShouldNotBeNull().Text != "last")
        {
        }

        await sending;
        encounter.Backend.Received.ToArray().ShouldBe([.. connect, .. early]);
        encounter.Backend.Complete();
    }

    [Fact]
    public async Task A_large_hello_in_fragments_is_passed_on_as_it_is()
    {
        await using Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice());
        await ReceiveConnectAsync(encounter.Backend);
        string hello = JsonSerializer.Serialize(new
        {
            payload = new { type = "res", id = "other", ok = false, texts = Enumerable.Range(0, 16).Select(i => new string((char)('a' + i), 64 * 1024)) },
            type = "res",
            id = Id,
            ok = true,
        });
        byte[] utf8 = Encoding.UTF8.GetBytes(hello);
        using var frames = new MemoryStream();
        for (int start = 0; start < utf8.Length; start += 9_973)
        {
            int length = Math.Min(9_973, utf8.Length - start);
            frames.Write(FrameConnection.Encode(
                start == 0 ? Opcode.Text : Opcode.Continuation, utf8.AsSpan(start, length), masked: false, isFinal: start + length == utf8.Length));
            if (start + length < utf8.Length)
                frames.Write(FrameConnection.Encode(Opcode.Ping, [], masked: false));
        }

        encounter.Client.Received.SetLength(0);
        Task sending = encounter.Backend.SendRawAsync(frames.ToArray());

        while ((await encounter.Client.ReceiveAsync()).ShouldNotBeNull() is not { IsFinal: true, Opcode: Opcode.Continuation })
        {
        }

        await sending;
        encounter.Client.Received.ToArray().ShouldBe(frames.ToArray());
        await ShouldBeOpenAsync(encounter);
    }

    [Fact]
    public async Task An_answer_may_come_byte_by_byte()
    {
        await using Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice());
        await ReceiveConnectAsync(encounter.Backend);

        foreach (byte b in FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk(Id)), masked: false))
        {
            await encounter.Backend.SendRawAsync([b]);
        }

        await ShouldBeOpenAsync(encounter);
    }

    [Fact]
    public async Task Frames_of_the_backend_before_the_decision_are_delivered_after_it()
    {
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        await encounter.Backend.SendRawAsync(
        [
            .. FrameConnection.Encode(Opcode.Ping, "before"u8, masked: false),
            .. FrameConnection.Encode(Opcode.Text, "{\"event\":\"early\"}"u8, masked: false),
            .. FrameConnection.Encode(Opcode.Ping, "after"u8, masked: false),
        ]);
        (await encounter.Client.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe("before");

        // The pong goes through as well.
        await encounter.Client.SendAsync(Opcode.Pong, "before"u8.ToArray());
        (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Pong);
        Task<Frame?> next = encounter.Client.ReceiveAsync();
        next.IsCompleted.ShouldBeFalse();

        await encounter.Client.SendTextAsync(new Ask().SignedBy(new TestDevice()));

        (await next).ShouldNotBeNull().Text.ShouldBe("{\"event\":\"early\"}");
        (await encounter.Client.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe("after");
        await ReceiveConnectAsync(encounter.Backend);
        await encounter.Backend.SendTextAsync(Protocol.HelloOk(Id));
        await ShouldBeOpenAsync(encounter);
    }

    [Fact]
    public async Task A_refused_client_gets_nothing_from_the_backend()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        await encounter.Backend.SendTextAsync("""{"type":"event","event":"secret"}""");
        await encounter.Client.SendTextAsync(new Ask { Nonce = "another" }.SignedBy(new TestDevice()));
        Task complete = Task.Run(async () =>
        {
            await encounter.Backend.ReceiveToEndAsync(); // with a close frame, unless the client left before it was out
            encounter.Backend.Complete();
        });

        // One answer and the close frame, or this throws.
        await encounter.ShouldBeClosedAsync(1008, "device nonce mismatch");
        await complete;
    }

    [Fact]
    public async Task A_removal_before_the_answer_shuts_the_gate_for_good()
    {
        var device = new TestDevice();
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        byte[] connect = Encode(new Ask().SignedBy(device));
        await encounter.Client.SendRawAsync([.. connect, .. Encode("early")]);
        await ReceiveConnectAsync(encounter.Backend);

        (await shared.Gateway.RemoveAsync(device)).ShouldBeTrue();

        Frame close = await encounter.Client.ReceiveCloseAsync();
        $"{close.CloseCode} {close.CloseReason}".ShouldBe("1008 device removed");
        await encounter.Backend.SendTextAsync(Protocol.HelloOk(Id));
        (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Close);
        encounter.Backend.Received.ToArray().AsSpan(0, connect.Length).ToArray().ShouldBe(connect);
        encounter.Backend.Complete();
    }

    internal static byte[] Encode(string text, bool fragmented = false)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return fragmented
            ?
            [
                .. FrameConnection.Encode(Opcode.Text, utf8.AsSpan(0, 9), masked: true, isFinal: false),
                .. FrameConnection.Encode(Opcode.Continuation, utf8.AsSpan(9), masked: true),
            ]
            : FrameConnection.Encode(Opcode.Text, utf8, masked: true);
    }

    internal static async Task ReceiveConnectAsync(FrameConnection backend)
    {
        var text = new StringBuilder();
        Frame frame;
        do
        {
            frame = (await backend.ReceiveAsync()).ShouldNotBeNull();
            text.Append(frame.Text);
        }
        while (!frame.IsFinal);

        JsonSerializer.Deserialize<JsonElement>(text.ToString()).GetProperty("method").GetString().ShouldBe("connect");
    }

    private static async Task ShouldBeOpenAsync(Encounter encounter)
    {
        await encounter.Client.SendTextAsync("a request");
        (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe("a request");
        encounter.Backend.Complete();
    }

    public sealed class PlayedBackend : SharedGateway
    {
        private protected override async Task<TestGateway> StartAsync()
        {
            TestGateway gateway = await base.StartAsync();
            gateway.Backend.Script = TestBackend.ChallengeAsync;
            return gateway;
        }
    }
}
