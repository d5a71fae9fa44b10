using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Each decision uses the settings of that moment, and sessions do not outlive the rules that covered them.</summary>
public sealed class ReloadTests : IDisposable
{
    private const string Rule = "DeviceAuth:Pairing:AutoApprove:loopback";
    private const string Implied = "DeviceAuth:ScopeImplications:operator:operator.write:0";

    private static readonly Dictionary<string, string?> Silent = new()
    {
        [$"{Rule}:Enabled"] = "true",
        [$"{Rule}:From:0"] = "loopback",
        [$"{Rule}:Reasons:0"] = "not-paired",
        [Implied] = "operator.read",
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("reload-");
    private readonly TestDevice _device = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_rule_that_is_switched_off_while_a_handshake_waits_approves_nothing()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(Silent);
        (FrameConnection client, string nonce) = await OpenAsync(gateway);

        gateway.Reload(($"{Rule}:Enabled", "false"));
        await client.SendTextAsync(new Ask { Nonce = nonce }.SignedBy(_device));

        (await TestClient.OutcomeAsync(client)).ShouldRequirePairing("not-paired");
    }

    [Fact]
    public async Task A_rule_that_is_switched_off_while_its_approval_is_written_does_not_approve_when_it_has_to_be_decided_again()
    {
        var store = new ContendedStore(OpenStore());
        await using TestGateway gateway = await TestGateway.StartAsync(Silent, services: s => s.AddSingleton<IDeviceStore>(store));
        store.BeforeNextSwap = () => gateway.Reload(($"{Rule}:Enabled", "false"));

        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldRequirePairing("not-paired");
    }

    [Fact]
    public async Task A_shared_token_that_is_configured_while_a_handshake_waits_is_required_of_it()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(Silent);
        (FrameConnection client, string nonce) = await OpenAsync(gateway);

        gateway.Reload(("DeviceAuth:SharedToken:Sha256", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("new")))));
        await client.SendTextAsync(new Ask { Nonce = nonce }.SignedBy(_device));

        (await TestClient.OutcomeAsync(client)).ShouldBeClosed(1008, "unauthorized");
    }

    [Fact]
    public async Task A_page_whose_origin_is_removed_while_its_handshake_waits_is_not_admitted()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new(Silent) { ["DeviceAuth:AllowedOrigins:0"] = "https://page.example" });
        (FrameConnection client, string nonce) = await OpenAsync(gateway, "Origin: https://page.example");

        gateway.Reload(("DeviceAuth:AllowedOrigins:0", "https://other.example"));
        await client.SendTextAsync(new Ask { Nonce = nonce }.SignedBy(_device));

        (await TestClient.OutcomeAsync(client)).ShouldBeClosed(1013, "try again later");
    }

    [Fact]
    public async Task Implications_that_cover_less_close_the_sessions_that_they_covered_and_no_others()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(Silent);
        Outcome writes = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.write"] });
        Outcome reads = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.read"] });
        (writes.IsAdmitted, reads.IsAdmitted).ShouldBe((true, true));

        gateway.Reload((Implied, "operator.other"));

        Frame close = await reads.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "grant revoked"));
        await writes.Client.SendTextAsync("still here");
        (await writes.Client.ReceiveAsync())!.Text.ShouldBe("still here");
    }

    [Fact]
    public async Task A_reload_between_reading_the_record_and_deciding_counts()
    {
        var store = new PausingStore(OpenStore());
        await using TestGateway gateway = await TestGateway.StartAsync(Silent, services: s => s.AddSingleton<IDeviceStore>(store));
        (await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.write"] })).ShouldBeAdmitted();

        store.PauseAfterNextRead();
        FrameConnection client = await TestClient.AskAsync(gateway.Port, _device);
        await store.Paused;
        gateway.Reload((Implied, "operator.other"));
        store.Continue();

        (await TestClient.OutcomeAsync(client)).ShouldRequirePairing("scope-upgrade");
    }

    [Fact]
    public async Task A_reload_at_any_step_of_a_decision_leaves_nobody_admitted_by_the_old_settings()
    {
        // Only the first claim is approved by a rule: nothing that the implications cover is asked for then.
        var wide = new PairingPolicy { AutoApprove = [new AutoApproveRule { Name = "loopback", FromLoopback = true, Reasons = [PairingReason.NotPaired] }] };
        PairingPolicy narrow = wide with { Implications = new ScopeImplications(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>>.Empty) };
        var settings = new ChangingSettings(new DeviceAuthOptions { Policy = wide }, new DeviceAuthOptions { Policy = narrow });
        await using TestGateway gateway = await TestGateway.StartAsync(services: s => s
            .AddSingleton<IDeviceAuthSettings>(settings).AddSingleton<IDeviceStore>(OpenStore()));
        (await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.write"] })).ShouldBeAdmitted();

        int admitted = 0;
        for (int reads = 1; admitted < 2; reads++)
        {
            settings.Reset();
            (FrameConnection client, string nonce) = await OpenAsync(gateway);
            settings.ChangeAfter(reads);
            await client.SendTextAsync(new Ask { Nonce = nonce, Scopes = ["operator.read"] }.SignedBy(_device));

            Outcome outcome = await TestClient.OutcomeAsync(client);
            if (outcome.IsAdmitted)
            {
                admitted++; // the decision was over before, and the connection may not even have asked for the settings again
                settings.ChangeNow();
                outcome = outcome with { Close = await client.ReceiveCloseAsync() };
            }

            outcome.Close!.CloseCode.ShouldBe(1008, $"changed before read {reads} of the settings");
            await client.DisposeAsync();
        }
    }

    private static async Task<(FrameConnection Client, string Nonce)> OpenAsync(TestGateway gateway, params string[] headers)
    {
        FrameConnection client = await TestClient.OpenAsync(gateway.Port, "/", host: null, headers);
        return (client, (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!);
    }

    private SqliteDeviceStore OpenStore() =>
        SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") }, TimeProvider.System);

    /// <summary>A store in which somebody else is faster once.</summary>
    private sealed class ContendedStore(IDeviceStore inner) : DelegatingStore(inner)
    {
        public Action? BeforeNextSwap { get; set; }

        public override ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
        {
            if (BeforeNextSwap is not { } act)
                return base.SwapAsync(swap, cancellationToken);
            BeforeNextSwap = null;
            act();
            return ValueTask.FromResult(SwapResult.Conflict);
        }
    }
}
