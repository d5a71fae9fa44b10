using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Proof;
using Xunit.Abstractions;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>
/// The handshake Proof under changed requests, with one seed that stays and one of the day. <c>PROXYGATEWAY_TEST_FUZZ_SECONDS</c> says for how long,
/// <c>PROXYGATEWAY_TEST_SEED</c> with what seed; a failure names seed and index, and <c>PROXYGATEWAY_TEST_FUZZ_INDEX</c> plays that request alone.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed partial class ProofFuzzTests(ITestOutputHelper output) : IDisposable
{
    private const int AtOnce = 16;
    private const string Secret = "said by the backend";
    private const string Page = "https://page.example";

    private static readonly int Seconds = Math.Min(Setting.Number("PROXYGATEWAY_TEST_FUZZ_SECONDS") ?? 6, 90); // nonces are old after two minutes

    // What docs/proof.md lists.
    private static readonly Dictionary<string, int[]> Documented = new()
    {
        ["device_proof_required"] = [401, 403],
        ["use_dpop_nonce"] = [401],
        ["invalid_dpop_proof"] = [401],
        ["invalid_session_token"] = [401],
        ["proof_already_used"] = [401],
        ["pairing_required"] = [403],
        ["device_blocked"] = [403],
        ["insufficient_scope"] = [403],
        ["try_again_later"] = [503],
        ["urn:proxygateway:problem:origin-refused"] = [403],
        ["urn:proxygateway:problem:upgrade-refused"] = [403],
        ["urn:proxygateway:problem:websocket-version"] = [426],
        ["urn:proxygateway:problem:path-refused"] = [400],
    };

    private static readonly string[] Closings =
    [
        "device nonce required: ", "device signature invalid", "device public key invalid", "invalid handshake: ", "session token invalid", "proof already used", "pairing required: ", "device blocked", "insufficient scope",
    ];

    private readonly ProofSigner _paired = ProofSigner.WithEd25519([.. Enumerable.Repeat((byte)1, 32)]);
    private readonly ProofSigner _pairedP256 = ProofSigner.WithP256();
    private readonly ProofSigner _elsewhere = ProofSigner.WithEd25519([.. Enumerable.Repeat((byte)2, 32)]);
    private readonly ProofSigner _blocked = ProofSigner.WithEd25519([.. Enumerable.Repeat((byte)3, 32)]);
    private readonly ProofSigner _stranger = ProofSigner.WithP256();
    private readonly ConcurrentDictionary<string, ProofInput> _inputs = [];
    private readonly ConcurrentDictionary<string, int> _arrived = [];
    private readonly ConcurrentDictionary<string, int> _answers = [];
    private readonly ConcurrentQueue<string> _faults = [];
    private readonly ConcurrentQueue<Exception> _thrown = [];
    private readonly CapturedLog _log = new();
    private ProofEvidence _evidence = null!;
    private int _played;

    public void Dispose()
    {
        foreach (ProofSigner device in (ProofSigner[])[_paired, _pairedP256, _elsewhere, _blocked, _stranger])
            device.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task Only_a_valid_fresh_and_unused_proof_of_a_covering_grant_reaches_the_backend()
    {
        await using ProofSetting gate = await StartAsync();
        await gate.PairAsync(_paired, options: new ProofOptions { Scopes = ScopeSet.Of("files.read") });
        await gate.PairAsync(_pairedP256);
        await gate.PairAsync(_elsewhere, "/other/work");
        await gate.PairAsync(_blocked);
        await gate.BlockAsync(_blocked);
        string token = await gate.TokenAsync(_paired, options: new ProofOptions { Scopes = ScopeSet.Of("files.read") });
        string tokenP256 = await gate.TokenAsync(_pairedP256);
        string[] nonces = [await gate.NonceAsync(), await gate.NonceAsync()];
        NonceKey key = gate.Services.GetRequiredService<INonceKeys>().Current;
        var fuzzing = new ProofFuzzing(
            gate.Address.Port,
            [_paired, _paired, _paired, _pairedP256, _pairedP256, _elsewhere, _blocked, _stranger],
            nonces,
            ProofNonce.Issue(key, DateTimeOffset.UtcNow - TimeSpan.FromMinutes(3)),
            ProofNonce.Issue(key, DateTimeOffset.UtcNow + TimeSpan.FromMinutes(5)),
            ProofNonce.Issue(new NonceKey(key.Id, [.. new byte[NonceKey.Size]]), DateTimeOffset.UtcNow),
            [token, tokenP256]);
        _evidence = new ProofEvidence(nonces, new Dictionary<(string, string, string), string[]>
        {
            [(_paired.Id.ToString(), "default", "client")] = ["files.read"],
            [(_pairedP256.Id.ToString(), "default", "client")] = [],
            [(_elsewhere.Id.ToString(), "other", "client")] = [],
        })
        {
            Tokens = new Dictionary<string, (string, string[])> { [token] = (_paired.Id.ToString(), ["files.read"]), [tokenP256] = (_pairedP256.Id.ToString(), []) },
        };

        int today = int.Parse(DateTime.UtcNow.ToString("yyyyMMdd", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        int[] seeds = Setting.Number("PROXYGATEWAY_TEST_SEED") is { } given ? [given] : [1, today];
        foreach (int seed in seeds)
        {
            if (Setting.Number("PROXYGATEWAY_TEST_FUZZ_INDEX") is { } only)
                await PlayAsync(fuzzing, seed, only);
            else
                await PlayManyAsync(fuzzing, seed, TimeSpan.FromSeconds(Seconds) / seeds.Length);
        }

        output.WriteLine($"seeds {string.Join(' ', seeds)}: {_played} inputs, {_arrived.Count} admitted\n{string.Join('\n', _answers.OrderByDescending(a => a.Value).Select(a => $"{a.Value,6} {a.Key}"))}");
        _faults.ShouldBeEmpty();
        _thrown.ShouldBeEmpty("nothing is thrown out of the pipeline");
        _log.Lines.ShouldNotContain(l => l.Level >= LogLevel.Error, "the gate itself does not fail");
        await Eventually.HoldsAsync(() => Task.FromResult(gate.Connections.Count == 0), "no session is left");
        if (Setting.Number("PROXYGATEWAY_TEST_FUZZ_INDEX") is not null)
            return;
        _arrived.Count.ShouldBeGreaterThan(_played / 10, "the fuzzer reaches what lies behind the gate");
        (_played - _arrived.Count).ShouldBeGreaterThan(_played / 3, "and what is to stay before it");
        foreach (string code in Documented.Keys.Where(code => !code.StartsWith("urn:", StringComparison.Ordinal) && code != "try_again_later"))
            _answers.Keys.ShouldContain(a => a.EndsWith(code, StringComparison.Ordinal), "and the answers");
    }

    private Task<ProofSetting> StartAsync() => ProofSetting.StartAsync(
        options => options with
        {
            AllowedOrigins = [Page],
            MaxPendingRequests = 1_000_000,
            Limits = options.Limits with { HandshakesPerAddress = 10_000, HandshakesPerDestination = 10_000, PendingRequestsPerAddress = 1_000_000, SessionsPerDevice = 10_000 },
        },
        services: services =>
        {
            services.AddSingleton<ILoggerProvider>(_log);
            services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter>(new Catching(_thrown)));
            services.Configure<KestrelServerOptions>(options => options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(1)); // a request that is left unfinished is not waited for
        },
        mapBackend: backend => backend.Use(AnswerAsync),
        others:
        [
            Route("other", ("DeviceAuth.Audience", "other")),
            Route("dpop", ("DeviceAuth.ProofHeader", "DPoP")),
            Route("tokens", ("DeviceAuth.SessionTokens", "Allow")),
        ]);

    private static RouteConfig Route(string name, (string Key, string Value) metadata) => new()
    {
        RouteId = name,
        ClusterId = "http1",
        Match = new RouteMatch { Path = $"/{name}/{{**rest}}" },
        Metadata = new Dictionary<string, string> { [DeviceAuthDefaults.HandshakeMetadata] = DeviceAuthDefaults.Proof, [metadata.Key] = metadata.Value },
    };

    /// <summary>The backend: judges each request that it gets.</summary>
    private async Task AnswerAsync(HttpContext context, RequestDelegate next)
    {
        string name = Name().Match(context.Request.Path.Value!).Value;
        if (!_inputs.TryGetValue(name, out ProofInput? input))
        {
            _faults.Enqueue($"the backend got a request that nobody has sent: {context.Request.Method} {context.Request.Path}");
        }
        else
        {
            _arrived.AddOrUpdate(name, 1, (_, n) => n + 1);
            if (_evidence.Against(input.Request, context.Request) is { } problem)
                Fault(input, problem);
        }

        if (!context.WebSockets.IsWebSocketRequest)
        {
            await context.Response.WriteAsync(Secret, context.RequestAborted);
            return;
        }

        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
        await socket.SendAsync(Encoding.UTF8.GetBytes(Secret), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
    }

    private async Task PlayManyAsync(ProofFuzzing fuzzing, int seed, TimeSpan duration)
    {
        int next = -1;
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration && _faults.IsEmpty)
                await PlayAsync(fuzzing, seed, Interlocked.Increment(ref next));
        })));
    }

    private async Task PlayAsync(ProofFuzzing fuzzing, int seed, int index)
    {
        var input = new ProofInput(fuzzing, seed, index);
        _inputs[input.Name] = input;
        byte[][] received;
        try
        {
            received = await Task.WhenAll(Enumerable.Range(0, input.Times).Select(_ => SpeakAsync(fuzzing.Port, input.Request)));
        }
        catch (OperationCanceledException)
        {
            Fault(input, "it is not answered to the end");
            return;
        }

        Interlocked.Increment(ref _played);
        int refused = 0;
        foreach (byte[] answer in received)
        {
            (string kind, bool isDocumented) = Judge(input, answer);
            _answers.AddOrUpdate(kind, 1, (_, n) => n + 1);
            if (!isDocumented)
                Fault(input, $"not a documented answer: {kind}\n{Encoding.Latin1.GetString(answer)}");
            if (kind.Split(' ')[^1] is not ("none" or "empty" or "backend"))
                refused++;
        }

        // An admitted request may still end with an error of the server's, as when its body is malformed.
        int arrived = _arrived.GetValueOrDefault(input.Name);
        int told = received.Count(HasSecret);
        if (told > arrived || refused + arrived > input.Times)
            Fault(input, $"the backend got it {arrived} times, {told} clients heard of the backend, and {refused} were refused");
    }

    private static bool HasSecret(byte[] received) => Encoding.Latin1.GetString(received).Contains(Secret, StringComparison.Ordinal);

    /// <summary>What the answer is, and whether it is one of the documented ones.</summary>
    private static (string Kind, bool IsDocumented) Judge(ProofInput input, byte[] received)
    {
        string text = Encoding.Latin1.GetString(received);
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
            return ("none", input.IsSpoiled && text.Length == 0);
        string[] lines = text[..end].Split("\r\n");
        string body = text[(end + 4)..]; // perhaps in chunks
        int status = int.Parse(lines[0].AsSpan(9, 3), CultureInfo.InvariantCulture);
        if (HasSecret(received))
            return ($"{status} of the backend", status is 200 or 101);
        if (status == 101)
            return JudgeClosing(received.AsSpan(end + 4));
        bool isReserved = Encoding.Latin1.GetString(input.Request).Contains("/.well-known/proxygateway/", StringComparison.OrdinalIgnoreCase);
        if (body.Length == 0 || isReserved || (IsHead(input.Request) && body.StartsWith("HTTP/1.1 ", StringComparison.Ordinal)))
        {
            // Of the server itself, to a preflight, to HEAD, or below the paths of the gate's own.
            bool isHead = IsHead(input.Request);
            return ($"{status}, empty", status is 204 or 400 or 405 or 408 or 411 or 413 or 414 or 431 or 505 || (isHead && status is 200 or 401 or 403) || (isReserved && status is 200 or 401 or 403 or 404));
        }

        if (!body.Contains('{', StringComparison.Ordinal))
            return ($"{status}, no problem", false);
        JsonElement problem = JsonDocument.Parse(body[body.IndexOf('{', StringComparison.Ordinal)..(body.LastIndexOf('}') + 1)]).RootElement;
        string kind = (problem.TryGetProperty("code", out JsonElement code) ? code : problem.GetProperty("type")).GetString()!;
        bool isDocumented = Documented.TryGetValue(kind, out int[]? statuses) && statuses.Contains(status) && problem.GetProperty("status").GetInt32() == status
            && lines.Contains("Content-Type: application/problem+json", StringComparer.OrdinalIgnoreCase)
            && (kind.StartsWith("urn:", StringComparison.Ordinal) || lines.Any(l => l.StartsWith("Device-Nonce: ", StringComparison.OrdinalIgnoreCase) || l.StartsWith("DPoP-Nonce: ", StringComparison.OrdinalIgnoreCase)))
            && (status != 401 || lines.Any(l => l.StartsWith("WWW-Authenticate: D", StringComparison.OrdinalIgnoreCase)));
        return ($"{status} {kind}", isDocumented);
    }

    private static (string Kind, bool IsDocumented) JudgeClosing(ReadOnlySpan<byte> frames)
    {
        if (RawFrames.In(frames) is not [(Opcode.Close, true, { Length: > 2 } payload)])
            return ("a page's socket that is not closed", false);
        int code = (payload[0] << 8) | payload[1];
        string reason = Encoding.UTF8.GetString(payload.AsSpan(2));
        return ($"{code} {Closings.FirstOrDefault(c => reason.StartsWith(c, StringComparison.Ordinal)) ?? reason}",
            reason == "try again later" ? code == 1013 : code == 1008 && Closings.Any(c => reason.StartsWith(c, StringComparison.Ordinal)));
    }

    private void Fault(ProofInput input, string what) => _faults.Enqueue(
        $"PROXYGATEWAY_TEST_SEED={input.Seed} PROXYGATEWAY_TEST_FUZZ_INDEX={input.Index}: {what}\n{input}");

    /// <summary>Sends a request, and reads its answer to the end.</summary>
    private static async Task<byte[]> SpeakAsync(int port, byte[] request)
    {
        if (request.Length == 0)
            return []; // there is nothing to answer
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var patience = new CancellationTokenSource(Eventually.Patience);
        using var received = new MemoryStream();
        byte[] buffer = new byte[4096];
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(request, patience.Token);
            while (!IsWhole(request, received.ToArray()))
            {
                int count = await socket.ReceiveAsync(buffer, patience.Token);
                if (count == 0)
                    break;
                received.Write(buffer, 0, count);
            }
        }
        catch (SocketException)
        {
            // The gate has closed or reset the connection, which it may.
        }

        return Final(received.ToArray());
    }

    // Lines without text before a request are none of it (RFC 9112 §2.2).
    private static bool IsHead(byte[] request) => request.AsSpan().TrimStart("\r\n"u8).StartsWith("HEAD "u8);

    private static byte[] Final(byte[] received) =>
        received.AsSpan().StartsWith("HTTP/1.1 100 "u8) ? received[(received.AsSpan().IndexOf("\r\n\r\n"u8) + 4)..] : received;

    private static bool IsWhole(byte[] request, byte[] received)
    {
        received = Final(received);
        string text = Encoding.Latin1.GetString(received);
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
            return false;
        string head = text[..end];
        if (head.StartsWith("HTTP/1.1 101", StringComparison.Ordinal))
            return RawFrames.In(received.AsSpan(end + 4)) is [.., (Opcode.Close, _, _)];
        if (IsHead(request) || head.StartsWith("HTTP/1.1 204", StringComparison.Ordinal))
            return true;
        int at = head.IndexOf("\r\nContent-Length: ", StringComparison.OrdinalIgnoreCase);
        if (at >= 0)
            return text.Length - end - 4 >= int.Parse(head[(at + 18)..].Split('\r')[0], CultureInfo.InvariantCulture);
        return text.EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal);
    }

    [GeneratedRegex(ProofInput.NamePattern, RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Name();

    private sealed class Catching(ConcurrentQueue<Exception> thrown) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (context, following) =>
            {
                try
                {
                    await following(context);
                }
                catch (Exception e)
                {
                    thrown.Enqueue(e);
                    throw;
                }
            });
            next(app);
        };
    }
}
