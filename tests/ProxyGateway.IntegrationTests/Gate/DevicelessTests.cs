using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Clients without a device, and the rule that admits them if every part of it holds.</summary>
public sealed class DevicelessTests
{
    private const string Rule = "DeviceAuth:Pairing:Deviceless";
    private const string Token = "DeviceAuth:SharedToken:Sha256";

    private readonly TestDevice _device = new(); // signs nothing that is sent

    [Fact]
    public async Task With_the_rule_a_client_is_admitted_and_its_request_forwarded_as_it_is()
    {
        await using TestGateway gateway = await StartAsync();
        Ask ask = Deviceless();

        await using Encounter client = await Encounter.AskAsync(gateway, _device, ask);

        await client.ShouldBeAdmittedAsync();
        (await client.Backend.ReceivedFramesAsync()).ShouldHaveSingleItem().Json.GetProperty("params").TryGetProperty("device", out _).ShouldBeFalse();
        await client.Client.SendTextAsync("echo");
        (await client.Client.ReceiveAsync())!.Text.ShouldBe("echo");
        gateway.Sessions.List(device: null, after: 0, 10).ShouldHaveSingleItem().User.ShouldBe(Self);
        gateway.Log.Of(1041).ShouldHaveSingleItem().ShouldContain("operator [operator.write]");
        gateway.Log.Of(1012).ShouldHaveSingleItem().ShouldContain($"of user {Self}");
    }

    [Fact]
    public async Task Without_the_rule_it_is_refused_and_told_what_to_do()
    {
        await using TestGateway gateway = await StartAsync(new() { [$"{Rule}:Enabled"] = "false" });

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());

        JsonElement details = (await client.ShouldBeClosedAsync(1008, "device identity required"))!.Value.GetProperty("error").GetProperty("details");
        details.GetProperty("code").GetString().ShouldBe("DEVICE_IDENTITY_REQUIRED");
        details.GetProperty("remediationHint").GetString().ShouldNotBeNull().ShouldContain(Rule);
    }

    [Theory]
    [InlineData("right", "operator", "operator.admin", "scopes beyond UpTo")]
    [InlineData("right", "node", null, "a role beyond UpTo")]
    [InlineData("wrong", "operator", "operator.read", "no or another shared token")]
    [InlineData(null, "operator", "operator.read", "no or another shared token")]
    public async Task Without_the_token_or_for_more_than_the_rule_allows_it_is_refused(string? token, string role, string? scope, string why)
    {
        await using TestGateway gateway = await StartAsync();

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless(token, role, scope is null ? [] : [scope]));

        await ShouldBeRefusedAsync(gateway, client, why);
    }

    [Fact]
    public async Task A_token_in_another_member_is_none()
    {
        await using TestGateway gateway = await StartAsync();

        await using Encounter client = await Encounter.AskAsync(
            gateway, _device, Deviceless(change: f => f["params"]!["auth"] = new JsonObject { ["deviceToken"] = "right", ["password"] = "right" }));

        await ShouldBeRefusedAsync(gateway, client, "no or another shared token");
    }

    [Fact]
    public async Task A_client_that_says_that_it_acts_for_a_profile_is_refused_since_nothing_binds_the_profile()
    {
        await using TestGateway gateway = await StartAsync();

        await using Encounter client = await Encounter.AskAsync(
            gateway, _device, Deviceless(change: f => f["params"]!["auth"]!["trustedBrokerProfileId"] = "somebody-else"));

        await ShouldBeRefusedAsync(gateway, client, "it acts for somebody else");
    }

    [Fact]
    public async Task Another_user_of_this_machine_is_refused()
    {
        await using TestGateway gateway = await StartAsync(new() { [$"{Rule}:Users:0"] = $"{OtherUser.Id}" });

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());

        await ShouldBeRefusedAsync(gateway, client, "not one of the rule's Users");
    }

    [Fact]
    public async Task A_client_whose_user_the_kernel_does_not_tell_is_refused()
    {
        await using TestGateway gateway = await StartAsync(services: s => s.AddSingleton(p =>
            new LoopbackPeers(p.GetRequiredService<PacedLogger<LoopbackPeers>>(), (_, _, _) => null)));

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());

        await ShouldBeRefusedAsync(gateway, client, "its user is not known");
    }

    [Fact]
    public async Task From_elsewhere_it_is_refused()
    {
        await using TestGateway gateway = await StartAsync();

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless(), gateway.RemotePort);

        await ShouldBeRefusedAsync(gateway, client, "not from loopback");
    }

    [Theory]
    [InlineData(null, "X-Real-IP: 127.0.0.1")]
    [InlineData(null, "X-Unknown: 1")]
    [InlineData("agent.example")]
    public async Task With_the_sign_of_a_proxy_or_another_host_it_is_refused(string? host, params string[] headers)
    {
        await using TestGateway gateway = await StartAsync();

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless(), gateway.Port, host, headers);

        await ShouldBeRefusedAsync(gateway, client, "not from loopback");
    }

    [Fact]
    public async Task A_page_is_refused_also_one_of_a_listed_origin()
    {
        await using TestGateway gateway = await StartAsync(new() { ["DeviceAuth:AllowedOrigins:0"] = "https://page.example" });

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless(), gateway.Port, host: null, "Origin: https://page.example");

        await ShouldBeRefusedAsync(gateway, client, "a browser");
    }

    [Fact]
    public async Task Where_the_application_has_filters_it_is_refused_since_they_decide_about_devices()
    {
        await using TestGateway gateway = await StartAsync(services: s => s.AddSingleton<IAdmissionFilter, NoObjection>());

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());

        await ShouldBeRefusedAsync(gateway, client, "the application has admission filters");
    }

    [Fact]
    public async Task Guesses_of_the_token_wait_ever_longer()
    {
        await using TestGateway gateway = await StartAsync(new() { ["DeviceAuth:Limits:FailuresPerAddress"] = "1" });
        await (await Encounter.AskAsync(gateway, _device, Deviceless("guess 1"))).ShouldBeClosedAsync(1008, "device identity required");

        long start = TimeProvider.System.GetTimestamp();
        await (await Encounter.AskAsync(gateway, _device, Deviceless("guess 2"))).ShouldBeClosedAsync(1008, "device identity required");

        TimeProvider.System.GetElapsedTime(start).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMilliseconds(240));
    }

    [Fact]
    public async Task A_user_has_no_more_sessions_than_a_device()
    {
        await using TestGateway gateway = await StartAsync(new() { ["DeviceAuth:Limits:SessionsPerDevice"] = "1" });
        await using Encounter first = await Encounter.AskAsync(gateway, _device, Deviceless());
        await first.ShouldBeAdmittedAsync();

        await using Encounter second = await Encounter.AskAsync(gateway, _device, Deviceless());

        await second.ShouldBeClosedAsync(1013, "try again later");
        gateway.Log.Of(1014).ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData($"{Rule}:Enabled", "false")]
    [InlineData($"{Rule}:Users:0", "65533")]
    [InlineData($"{Rule}:UpTo:operator:0", "operator.read")]
    [InlineData(Token, "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b")]
    [InlineData("DeviceAuth:TrustedProxies:0", "127.0.0.1")]
    public async Task A_reload_ends_the_session_that_it_does_not_cover(string key, string value)
    {
        await using TestGateway gateway = await StartAsync();
        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());
        await client.ShouldBeAdmittedAsync();

        gateway.Reload((key, value));

        await ShouldEndAsync(client, 1008, "device identity required");
    }

    [Fact]
    public async Task A_reload_leaves_a_session_that_it_covers()
    {
        await using TestGateway gateway = await StartAsync();
        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless(scopes: ["operator.read"]));
        await client.ShouldBeAdmittedAsync();

        gateway.Reload(($"{Rule}:UpTo:operator:0", "operator.read"));

        await client.Client.SendTextAsync("still here");
        (await client.Client.ReceiveAsync())!.Text.ShouldBe("still here");
    }

    [Fact]
    public async Task Whenever_the_settings_change_during_a_decision_nobody_stays_in_by_the_rule_before()
    {
        var with = new DeviceAuthOptions
        {
            SharedTokenSha256 = [.. SHA256.HashData("right"u8)],
            Policy = new() { Deviceless = new() { Users = [Self!.Value], UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write")) } },
        };
        var settings = new ChangingSettings(with, with with { Policy = new() });
        await using TestGateway gateway = await StartAsync(services: s => s.AddSingleton<IDeviceAuthSettings>(settings));

        int admitted = 0;
        for (int reads = 1; admitted < 2; reads++)
        {
            settings.Reset();
            FrameConnection client = await TestClient.OpenAsync(gateway.Port);
            await client.ReceiveJsonAsync();
            settings.ChangeAfter(reads);
            await client.SendTextAsync(Deviceless().SignedBy(_device));

            Outcome outcome = await TestClient.OutcomeAsync(client);
            if (outcome.IsAdmitted)
            {
                admitted++; // the decision was over before
                settings.ChangeNow();
                outcome = outcome with { Close = await client.ReceiveCloseAsync() };
            }

            outcome.Close!.CloseCode.ShouldBeOneOf([1008, 1013]);
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task It_is_no_connection_of_a_device_to_an_application_which_can_end_it()
    {
        await using TestGateway gateway = await StartAsync();
        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());
        await client.ShouldBeAdmittedAsync();
        IDeviceConnections connections = gateway.Services.GetRequiredService<IDeviceConnections>();

        DeviceConnection shown = connections.List().ShouldHaveSingleItem();
        (shown.Device, shown.User, shown.Role).ShouldBe((null, Self, "operator"));
        connections.End(shown.Id, "ended").ShouldBeTrue();

        await ShouldEndAsync(client, 1008, "ended");
    }

    [Fact]
    public async Task A_gateway_that_stops_ends_it()
    {
        await using TestGateway gateway = await StartAsync(new() { ["DeviceAuth:DrainTime"] = "00:00:00" });
        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());
        await client.ShouldBeAdmittedAsync();

        Task stopping = gateway.StopAsync();

        await ShouldEndAsync(client, 1012, "gateway restarting");
        await client.DisposeAsync();
        await stopping;
    }

    [Fact]
    public async Task A_registry_that_is_away_does_not_matter_to_it()
    {
        await using TestGateway gateway = await StartAsync(services: s => s.AddSingleton<IDeviceStore>(
            new FailingStore(() => new RegistryUnavailableException("away"))));

        await using Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless());

        await client.ShouldBeAdmittedAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refusal_of_the_backends_is_logged_and_audited_and_nothing_is_approved_there(bool asksForPairing)
    {
        await using TestGateway gateway = await StartAsync(new() { ["DeviceAuth:Backends:agent:OpenClaw:Token"] = "the-backends" });
        string refusal = asksForPairing
            ? """{"type":"res","id":"connect-1","ok":false,"error":{"code":"NOT_PAIRED","message":"pairing required","details":{"code":"PAIRING_REQUIRED","reason":"not-paired","requestId":"r-1"} } }"""
            : Protocol.Refusal("connect-1");
        int connections = 0;
        gateway.Backend.Script = async backend =>
        {
            connections++;
            await backend.SendTextAsync(Protocol.Challenge("a-nonce"));
            await backend.ReceiveAsync();
            await backend.SendTextAsync(refusal);
            await backend.CloseAsync(1008);
            await backend.ReceiveToEndAsync();
        };

        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device, Deviceless());

        outcome.Answer!.Value.GetRawText().ShouldBe(refusal);
        outcome.Close!.CloseCode.ShouldBe(1008);
        gateway.Log.Of(1125).ShouldHaveSingleItem().ShouldBe(
            $"The backend refused a client without a device, of user {Self}, which was admitted as operator with [operator.write] from 127.0.0.1: "
            + (asksForPairing ? "NOT_PAIRED PAIRING_REQUIRED not-paired." : "INVALID_REQUEST."));
        connections.ShouldBe(1, "the gate has opened none of its own");
        IReadOnlyList<AuditEntry> entries = [];
        await Eventually.HoldsAsync(
            async () => (entries = (await gateway.Audit.ListAsync(new AuditFilter(), before: null, 10, default)).Items).Count == 3, "all is entered");
        AuditEntry refused = entries.Single(e => e.Kind == AuditKinds.BackendRefused);
        (refused.User, refused.DeviceId).ShouldBe((Self, null));
    }

    [Fact]
    public async Task The_audit_names_the_user_and_no_device()
    {
        await using TestGateway gateway = await StartAsync();
        await using (Encounter client = await Encounter.AskAsync(gateway, _device, Deviceless()))
        {
            await client.ShouldBeAdmittedAsync();
        }

        IReadOnlyList<AuditEntry> entries = [];
        await Eventually.HoldsAsync(
            async () => (entries = (await gateway.Audit.ListAsync(new AuditFilter(), before: null, 10, default)).Items).Count == 3, "all is entered");

        entries.Select(e => (e.Kind, e.DeviceId, e.User, e.Role)).ShouldBe(
            new[] { AuditKinds.SessionClosed, AuditKinds.SessionOpened, AuditKinds.DeviceAdmitted }
                .Select(kind => (kind, (DeviceId?)null, Self, (string?)"operator")));
    }

    private static uint? Self => new OperatingSystemUsers().CurrentId;

    private static async Task ShouldBeRefusedAsync(TestGateway gateway, Encounter client, string why)
    {
        JsonElement? answer = await client.ShouldBeClosedAsync(1008, "device identity required");
        answer!.Value.GetProperty("error").GetProperty("details").GetProperty("code").GetString().ShouldBe("DEVICE_IDENTITY_REQUIRED");
        gateway.Log.Of(1013).ShouldHaveSingleItem().ShouldContain(why);
        gateway.Sessions.Count.ShouldBe(0);
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "nothing is held");
    }

    private static async Task ShouldEndAsync(Encounter client, int code, string reason)
    {
        Frame close = await client.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((code, reason));
    }

    private static Ask Deviceless(string? token = "right", string role = "operator", string[]? scopes = null, Action<JsonObject>? change = null) => new Ask
    {
        ClientId = "gateway-client",
        ClientMode = "backend",
        Token = token,
        Role = role,
        Scopes = scopes ?? ["operator.write"],
        Tamper = change,
    }.WithoutDevice();

    private static Task<TestGateway> StartAsync(Dictionary<string, string?>? more = null, Action<IServiceCollection>? services = null)
    {
        var settings = new Dictionary<string, string?>
        {
            [Token] = Hash("right"),
            [$"{Rule}:Users:0"] = "self",
            [$"{Rule}:UpTo:operator:0"] = "operator.write",
        };
        foreach ((string key, string? value) in more ?? [])
            settings[key] = value;
        return TestGateway.StartAsync(settings, services: services is null ? null : s =>
        {
            s.AddSingleton<IDeviceStore>(new InMemoryDeviceStore());
            services(s);
        });
    }

    private static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private sealed class NoObjection : IAdmissionFilter
    {
        public ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken) => ValueTask.FromResult<string?>(null);
    }
}
