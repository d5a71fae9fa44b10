using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.IntegrationTests.Gate.Backends;

/// <summary>A gate in front of a <see cref="PairingBackend"/>, whose token it has unless a test says otherwise.</summary>
internal sealed class PairingSetting : IAsyncDisposable
{
    private PairingSetting(TestGateway gateway) => Gateway = gateway;

    public TestGateway Gateway { get; }

    public PairingBackend Backend { get; } = new();

    public static async Task<PairingSetting> StartAsync(Dictionary<string, string?>? settings = null, TimeProvider? time = null)
    {
        TestGateway gateway = await TestGateway.StartAsync(
            settings ?? new() { ["DeviceAuth:Backends:agent:OpenClaw:Token"] = PairingBackend.Token, ["DeviceAuth:HandshakeTimeout"] = "00:00:20" }, time: time);
        var setting = new PairingSetting(gateway);
        gateway.Backend.Script = setting.Backend.ScriptAsync;
        return setting;
    }

    /// <summary>A device connects once.</summary>
    public Task<Outcome> ConnectAsync(TestDevice device, params string[] scopes) =>
        TestClient.ConnectAsync(Gateway.Port, device, new Ask { Scopes = scopes is [] ? ["operator.read"] : scopes });

    /// <summary>A device connects, is told to connect again, and gets in.</summary>
    public async Task ShouldBeApprovedAsync(TestDevice device, params string[] scopes)
    {
        (await ConnectAsync(device, scopes)).ShouldBeToldToConnectAgain();
        Outcome second = await ConnectAsync(device, scopes);
        second.ShouldBeAdmitted();
        await second.Client.DisposeAsync();
    }

    /// <summary>The audit, once it has an entry of this kind.</summary>
    public async Task<List<AuditEntry>> AuditAsync(string kind)
    {
        List<AuditEntry> entries = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                entries = [.. (await Gateway.Audit.ReadAfterAsync(0, 1000, default)).Items];
                return entries.Exists(e => e.Kind == kind);
            },
            $"the audit has {kind}");
        return entries;
    }

    public ValueTask DisposeAsync() => Gateway.DisposeAsync();
}

internal static class PairingOutcomes
{
    /// <summary>The backend has approved, and the client comes again by itself.</summary>
    public static void ShouldBeToldToConnectAgain(this Outcome outcome)
    {
        outcome.ShouldBeClosed(1013, "try again later");
        outcome.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        outcome.Error.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        outcome.Error.GetProperty("retryAfterMs").GetInt32().ShouldBeInRange(100, 2000);
        outcome.Details.GetProperty("reason").GetString().ShouldBe("startup-sidecars"); // as in the protocol's own client
        outcome.Details.GetProperty("recommendedNextStep").GetString().ShouldBe("wait_then_retry");
        outcome.Details.GetProperty("pauseReconnect").GetBoolean().ShouldBeFalse();
    }

    /// <summary>The backend has not approved, and the client tries again later.</summary>
    public static void ShouldBeToldToTryLater(this Outcome outcome)
    {
        outcome.ShouldBeClosed(1013, "try again later");
        outcome.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        outcome.Error.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        outcome.Details.GetProperty("reason").GetString().ShouldBe("backend-pairing");
        outcome.Details.GetProperty("pauseReconnect").GetBoolean().ShouldBeFalse();
        outcome.Details.GetProperty("remediationHint").GetString().ShouldEndWith($"openclaw devices approve {outcome.RequestId}");
    }
}
