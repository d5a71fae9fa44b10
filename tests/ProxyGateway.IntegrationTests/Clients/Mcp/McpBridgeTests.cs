using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.Connecting.Mcp;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>What the bridge of <c>proxygateway mcp</c> makes of each answer of a server's, good and bad.</summary>
public sealed class McpBridgeTests
{
    private const string Meta = """ "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"} """;

    [Fact]
    public async Task Messages_and_members_that_nobody_knows_pass_unchanged()
    {
        const string Answer = """{"jsonrpc":"2.0","id":"a\/b","result":{"x":1.0,"y":[1e2,"\u00e9é"],"z":null},"extra":true}""";
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync((_, context) => context.JsonAsync(Answer.Replace(",", ",\r\n ", StringComparison.Ordinal)));
        await using var host = new McpHost(server.Url);
        const string Ask = """{"id":"a/b", "method":"vendor/thing","params":{"big":12345678901234567890,"e":"\ud83d\ude00"},"jsonrpc":"2.0","more":[]}""";

        await host.SayAsync(Ask);

        (await host.HearLineAsync()).ShouldBe(Answer.Replace(",", ", ", StringComparison.Ordinal));
        ScriptedMcpServer.Heard heard = server.Requests.ShouldHaveSingleItem();
        heard.Body.ShouldBe(Ask);
        (heard.Header("Accept"), heard.Header("Content-Type"), heard.Header("Mcp-Method")).ShouldBe(("application/json, text/event-stream", "application/json", "vendor/thing"));
    }

    [Fact]
    public async Task A_session_is_named_from_its_beginning_to_its_end_and_its_stream_is_heard()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            context.Response.Headers["Mcp-Session-Id"] = "s1";
            if (request.Method == "GET")
            {
                await context.EventsAsync("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
                await context.StayAsync();
            }
            else if (request.Id == "null")
            {
                await context.AcceptedAsync();
            }
            else
            {
                await context.ResultAsync(request, """{"protocolVersion":"2025-06-18"}""");
            }
        });
        await using var host = new McpHost(server.Url);

        await host.InitializeAsync();
        ((string?)(await host.HearAsync())["method"]).ShouldBe("notifications/tools/list_changed");
        await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""");
        (await host.EndAsync()).ShouldBeTrue();

        server.Requests.Select(r => r.Method).ShouldBe(["initialize", "notifications/initialized", "GET", "tools/list", "DELETE"], ignoreOrder: true);
        server.Requests.Last().Method.ShouldBe("DELETE");
        server.Of("initialize").Single().Header("Mcp-Session-Id").ShouldBeNull();
        foreach (ScriptedMcpServer.Heard later in server.Requests.Where(r => r.Method != "initialize"))
            (later.Header("Mcp-Session-Id"), later.Header("MCP-Protocol-Version")).ShouldBe(("s1", "2025-06-18"));
    }

    [Theory]
    [InlineData(404, "")]
    [InlineData(400, """{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}""")]
    public async Task A_lost_session_begins_again_with_the_hosts_own_words_and_the_call_is_made_once(int status, string body)
    {
        int sessions = 0;
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Method == "initialize")
            {
                context.Response.Headers["Mcp-Session-Id"] = $"s{++sessions}";
                await context.ResultAsync(request, """{"protocolVersion":"2025-11-25"}""");
            }
            else if (request.Verb == "GET")
            {
                context.Response.StatusCode = 405;
            }
            else if (request is { Method: "tools/call" } && request.Header("Mcp-Session-Id") == "s1")
            {
                await context.JsonAsync(body, status);
            }
            else if (request.Id == "null")
            {
                await context.AcceptedAsync();
            }
            else
            {
                await context.ResultAsync(request);
            }
        });
        await using var host = new McpHost(server.Url);
        await host.InitializeAsync();
        await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"file:///a"}}""");
        await host.AskAsync("""{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}}""");

        JsonNode answer = await host.AskAsync("""{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"pay"}}""");

        (answer["id"]!.ToJsonString(), answer["result"]!.ToJsonString()).ShouldBe(("3", "{}"));
        server.Of("initialize").Select(r => r.Body).ShouldBe([McpHost.Initialize, McpHost.Initialize]);
        server.Of("tools/call").Select(r => r.Header("Mcp-Session-Id")).ShouldBe(["s1", "s2"]);
        foreach (string method in new[] { "notifications/initialized", "resources/subscribe", "logging/setLevel" })
            server.Of(method).Select(r => r.Header("Mcp-Session-Id")).ShouldBe(["s1", "s2"], method);
        ((string?)(await host.AskAsync("""{"jsonrpc":"2.0","id":4,"method":"ping"}"""))["result"]?.ToJsonString()).ShouldBe("{}", "the host gets no second answer to anything");
    }

    [Fact]
    public async Task A_server_that_has_no_stream_of_its_own_is_left_alone_whatever_it_answers()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            context.Response.Headers["Mcp-Session-Id"] = "s1";
            if (request.Verb != "POST")
                context.Response.StatusCode = 404;
            else if (request.Id == "null")
                await context.AcceptedAsync();
            else
                await context.ResultAsync(request, """{"protocolVersion":"2025-11-25"}""");
        });
        await using var host = new McpHost(server.Url);
        await host.InitializeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(server.Of("GET").Length > 0), "it asks for the stream");

        await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"ping"}""");
        (await host.EndAsync()).ShouldBeTrue();

        server.Requests.Select(r => r.Method).ShouldBe(["initialize", "notifications/initialized", "GET", "ping", "DELETE"]);
    }

    [Fact]
    public async Task A_server_cannot_have_a_stream_asked_for_again_without_a_pause()
    {
        int asked = 0;
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (Interlocked.Increment(ref asked) < 4)
                await context.EventsAsync($"id: e{asked}\nretry: 0\ndata:\n\n");
            else
                await context.EventsAsync("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n");
        });
        await using var host = new McpHost(server.Url);
        long begin = Stopwatch.GetTimestamp();

        (await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}"""))["result"].ShouldNotBeNull();

        Stopwatch.GetElapsedTime(begin).ShouldBeGreaterThan(3 * McpLimits.ShortestPause * 0.9);
    }

    [Fact]
    public async Task A_request_may_have_the_id_of_one_that_is_answered_before_the_stream_of_that_has_ended()
    {
        var left = new ConcurrentQueue<TaskCompletionSource>([new(), new()]);
        TaskCompletionSource[] ends = [.. left];
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Id == "null")
            {
                await context.AcceptedAsync();
                return;
            }

            left.TryDequeue(out TaskCompletionSource? end).ShouldBeTrue();
            await context.EventsAsync(request.Method == "tools/list" ? "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n" : ": later\n\n");
            await context.StayAsync();
            end!.SetResult();
        });
        await using var host = new McpHost(server.Url);
        (await host.AskAsync("""{"jsonrpc":"2.0","id":7,"method":"tools/list"}"""))["result"].ShouldNotBeNull();

        await host.SayAsync("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow"}}""");

        await ends[0].Task.WaitAsync(Eventually.Patience); // the first stream has ended by now, and must not take the second request with it
        await Eventually.HoldsAsync(() => Task.FromResult(server.Of("tools/call").Length == 1), "the second request is made");
        await host.SayAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}""");
        await ends[1].Task.WaitAsync(Eventually.Patience);
        server.Requests.Select(r => r.Method).ShouldBe(["tools/list", "tools/call", "notifications/cancelled"]);
    }

    [Fact]
    public async Task A_stream_that_breaks_is_asked_again_for_a_list_but_not_for_a_tool()
    {
        int lists = 0;
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Method == "tools/list" && ++lists == 2)
            {
                await context.ResultAsync(request, """{"tools":[]}""");
                return;
            }

            await context.EventsAsync(": begin\n\n");
            context.Abort();
        });
        await using var host = new McpHost(server.Url);

        (await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}"""))["result"].ShouldNotBeNull();
        JsonNode error = (await host.AskAsync("""{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"pay"}}"""))["error"].ShouldNotBeNull();

        ((string?)error["message"]).ShouldNotBeNull().ShouldContain("may have been done");
        ((int)error["code"]!).ShouldBeLessThan(0);
        server.Of("tools/call").Length.ShouldBe(1);
        (await host.EndAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task A_call_whose_connection_breaks_before_anything_is_answered_is_made_once()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Method == "tools/call")
                context.Abort();
            else
                await context.ResultAsync(request);
        });
        await using var host = new McpHost(server.Url);
        await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"ping"}"""); // so that the call goes over a connection that was used before

        JsonNode answer = await host.AskAsync("""{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"pay"}}""");

        ((string?)answer["error"]!["message"]).ShouldNotBeNull().ShouldContain("may have been done");
        server.Of("tools/call").Length.ShouldBe(1);
    }

    [Fact]
    public async Task The_rest_of_a_stream_is_asked_for_by_the_last_event()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Verb == "GET" && request.Header("Last-Event-ID") == "e2")
            {
                await context.EventsAsync("id: e3\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\ndata: \"result\":{\"done\":true}}\n\n");
            }
            else
            {
                await context.EventsAsync("id: e1\nretry: 10\ndata:\n\nid: e2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n");
            }
        });
        await using var host = new McpHost(server.Url);

        ((string?)(await host.AskAsync("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"pay"}}"""))["method"]).ShouldBe("notifications/progress");

        (await host.HearLineAsync()).ShouldBe("""{"jsonrpc":"2.0","id":7,"result":{"done":true}}""");
        server.Of("tools/call").Length.ShouldBe(1);
    }

    [Fact]
    public async Task From_2026_07_28_on_headers_repeat_the_body_and_nothing_is_resumed()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Method == "tools/list")
            {
                await context.ResultAsync(request, """{"tools":[{"name":"query","inputSchema":{"type":"object","properties":{"where":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}},"limit":{"type":"integer","x-mcp-header":"Limit"},"dry":{"type":"boolean","x-mcp-header":"Dry"},"bad":{"type":"string","x-mcp-header":"a b"}}}}]}""");
                return;
            }

            await context.EventsAsync("id: e1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n");
        });
        await using var host = new McpHost(server.Url);

        await host.AskAsync($$$"""{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{ {{{Meta}}} }}""");
        await host.SayAsync($$$"""{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"query","arguments":{"where":{"region":"Köln, west"},"limit":5,"dry":false,"bad":"x"}, {{{Meta}}} }}""");
        await host.HearLineAsync();
        JsonNode answer = await host.HearAsync();

        answer["error"].ShouldNotBeNull();
        server.Requests.ShouldNotContain(r => r.Verb == "GET");
        ScriptedMcpServer.Heard call = server.Of("tools/call").Single();
        (call.Header("MCP-Protocol-Version"), call.Header("Mcp-Method"), call.Header("Mcp-Name")).ShouldBe(("2026-07-28", "tools/call", "query"));
        (call.Header("Mcp-Param-Limit"), call.Header("Mcp-Param-Dry")).ShouldBe(("5", "false"));
        call.Header("Mcp-Param-Region").ShouldBe($"=?base64?{Convert.ToBase64String(Encoding.UTF8.GetBytes("Köln, west"))}?=");
        call.Headers.Keys.Count(k => k.StartsWith("Mcp-Param-", StringComparison.OrdinalIgnoreCase)).ShouldBe(3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cancellation_reaches_the_server_as_its_revision_has_it(bool isNew)
    {
        var ended = new TaskCompletionSource();
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Method == "tools/call")
            {
                await context.EventsAsync("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n");
                await context.StayAsync();
                ended.SetResult();
            }
            else if (request.Id == "null")
            {
                await context.AcceptedAsync();
            }
            else
            {
                await context.ResultAsync(request);
            }
        });
        await using var host = new McpHost(server.Url);
        await host.AskAsync($$$"""{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"slow"{{{(isNew ? "," + Meta : "")}}} }}""");

        await host.SayAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}""");

        await ended.Task.WaitAsync(Eventually.Patience);
        server.Of("notifications/cancelled").Length.ShouldBe(isNew ? 0 : 1);
        (await host.AskAsync("""{"jsonrpc":"2.0","id":"y","method":"ping"}"""))["id"]!.ToJsonString().ShouldBe("\"y\"", "what was cancelled has no answer");
        (await host.EndAsync()).ShouldBeTrue();
    }

    [Theory]
    [InlineData(400, """{"jsonrpc":"2.0","id":5,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}""", """{"jsonrpc":"2.0","id":5,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}""")]
    [InlineData(404, """{"jsonrpc":"2.0","error":{"code":-32601,"message":"what?"}}""", """{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"what?"}}""")]
    public async Task An_error_of_the_servers_passes_with_its_code(int status, string body, string expected)
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync((_, context) => context.JsonAsync(body, status));
        await using var host = new McpHost(server.Url);

        await host.SayAsync("""{"jsonrpc":"2.0","id":5,"method":"server/discover"}""");

        (await host.HearLineAsync()).ShouldBe(expected);
    }

    [Theory]
    [InlineData(401, "text/html", "<b>Log in</b>")]
    [InlineData(200, "text/html", "hello")]
    [InlineData(200, "application/json", "[]")]
    [InlineData(202, "application/json", "")]
    public async Task What_is_no_answer_becomes_an_error_that_says_so(int status, string type, string body)
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (_, context) =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = type;
            await context.Response.WriteAsync(body);
        });
        await using var host = new McpHost(server.Url);

        JsonNode answer = await host.AskAsync("""{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"pay"}}""");

        ((int?)answer["id"], (int?)answer["error"]!["code"]).ShouldBe((5, -31502));
        ((string?)answer["error"]!["message"]).ShouldNotBeNull().ShouldStartWith("The server");
    }

    [Fact]
    public async Task Lines_that_are_no_message_are_answered_and_the_next_one_passes()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync((request, context) => context.ResultAsync(request));
        await using var host = new McpHost(server.Url);

        foreach (string line in new[] { "nonsense", "[]", "{}", """{"id":{},"method":"x"}""", new string(' ', McpLimits.MessageBytes + 1) })
            (await host.AskAsync(line))["error"]!["code"]!.GetValue<int>().ShouldBe(-32600);
        await host.SayAsync("\r");

        (await host.AskAsync("""{"jsonrpc":"2.0","id":1,"method":"ping"}"""))["result"].ShouldNotBeNull();
        server.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_event_without_an_end_is_not_kept()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (_, context) =>
        {
            context.Response.ContentType = "text/event-stream";
            byte[] block = new byte[1024 * 1024];
            block.AsSpan().Fill((byte)'a');
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
        });
        await using var host = new McpHost(server.Url);

        JsonNode answer = await host.AskAsync("""{"jsonrpc":"2.0","id":5,"method":"tools/list"}""");

        ((string?)answer["error"]!["message"]).ShouldNotBeNull().ShouldContain("more than");
        server.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task More_requests_than_a_device_may_have_are_refused_and_a_cancellation_still_passes()
    {
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            if (request.Method == "tools/call")
                await context.StayAsync();
            else if (request.Id == "null")
                await context.AcceptedAsync();
            else
                await context.ResultAsync(request);
        });
        await using var host = new McpHost(server.Url);
        for (int id = 0; id < McpLimits.UnderWay; id++)
            await host.SayAsync($$$"""{"jsonrpc":"2.0","id":{{{id}}},"method":"tools/call","params":{"name":"slow"}}""");

        JsonNode refused = await host.AskAsync("""{"jsonrpc":"2.0","id":"more","method":"ping"}""");
        ((string?)refused["error"]!["message"]).ShouldNotBeNull().ShouldContain("Too many");
        await Eventually.HoldsAsync(() => Task.FromResult(server.Of("tools/call").Length == McpLimits.UnderWay), "all are asked");
        await host.SayAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}""");
        await Eventually.HoldsAsync(
            async () => (await host.AskAsync("""{"jsonrpc":"2.0","id":"more","method":"ping"}"""))["result"] is not null, "there is room again");
    }

    [Fact]
    public async Task A_gateway_that_stays_away_is_an_error_for_the_host()
    {
        var time = new FakeTimeProvider { AutoAdvanceAmount = McpLimits.Patience };
        await using var host = new McpHost(new Uri("http://127.0.0.1:1/mcp"), time);

        JsonNode error = (await host.AskAsync(McpHost.Initialize))["error"].ShouldNotBeNull();

        ((string?)error["message"]).ShouldNotBeNull().ShouldContain("cannot be reached");
        (await host.EndAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task A_host_that_leaves_gets_what_is_under_way_first()
    {
        var release = new TaskCompletionSource();
        await using ScriptedMcpServer server = await ScriptedMcpServer.StartAsync(async (request, context) =>
        {
            await release.Task.WaitAsync(context.RequestAborted);
            await context.ResultAsync(request);
        });
        await using var host = new McpHost(server.Url);
        await host.SayAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}""");
        Task<bool> ended = host.EndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(!server.Requests.IsEmpty), "the call is made");

        release.SetResult();

        (await host.HearAsync())["result"].ShouldNotBeNull();
        (await ended).ShouldBeTrue();
    }
}
