using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>An application's filters refuse devices that the policy would admit, on every path that is not a plain "no objection".</summary>
public sealed class AdmissionFilterTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestDevice _device = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("filters-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_filter_that_does_not_refuse_leaves_the_decision_to_the_policy()
    {
        AdmissionContext? seen = null;
        string? path = null;
        await using TestGateway gateway = await StartAsync((admission, _) =>
        {
            seen = admission;
            path = admission.Http.Request.Path;
            return ValueTask.FromResult<string?>(null);
        });

        (await ConnectAsync(gateway)).ShouldBeAdmitted();
        (await TestClient.ConnectAsync(gateway.RemotePort, new TestDevice(), new Ask { SignedAt = _time.GetUtcNow() })).ShouldRequirePairing("not-paired");

        seen.ShouldNotBeNull();
        seen.Locality.ShouldBe(LocalityKind.Remote);
        seen.Address.ShouldBe(TestGateway.RemoteAddress.ToString());
        seen.Claim.Role.ShouldBe("operator");
        path.ShouldBe("/");
    }

    [Fact]
    public async Task A_device_that_a_filter_refuses_gets_the_reason_and_nothing_of_it_is_stored()
    {
        await using TestGateway gateway = await StartAsync((admission, _) =>
            ValueTask.FromResult(admission.Claim.Device == _device.Id ? "come back in the morning" : null));

        Outcome refused = await ConnectAsync(gateway);

        refused.ShouldBeClosed(1008, "come back in the morning");
        refused.Error.GetProperty("message").GetString().ShouldBe("come back in the morning");
        (await gateway.FindAsync(_device)).ShouldBeNull();
        gateway.Sessions.Count.ShouldBe(0);
        gateway.Log.Of(1010).ShouldHaveSingleItem().ShouldContain(_device.Id.ToString());
        await Eventually.HoldsAsync(
            async () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1)); // entries are written in batches
                return (await gateway.Audit.ListAsync(new AuditFilter(AuditKinds.DeviceRefused), before: null, 10, default)).Items
                    .Any(e => e.DeviceId == _device.Id && e.Reason == "come back in the morning" && e.CloseCode == 1008);
            },
            "the audit has it");
        (await TestClient.ConnectAsync(gateway.Port, new TestDevice(), new Ask { SignedAt = _time.GetUtcNow() })).ShouldBeAdmitted();
    }

    [Fact]
    public async Task A_filter_refuses_a_paired_device_as_well()
    {
        string? objection = null;
        await using TestGateway gateway = await StartAsync((_, _) => ValueTask.FromResult(objection));
        (await ConnectAsync(gateway)).ShouldBeAdmitted();

        objection = "no more today";

        (await ConnectAsync(gateway)).ShouldBeClosed(1008, "no more today");
    }

    [Fact]
    public async Task A_filter_that_throws_refuses()
    {
        await using TestGateway gateway = await StartAsync((_, _) => throw new InvalidOperationException("a bug"));

        await ShouldBeRefusedAsFailedAsync(gateway, ConnectAsync(gateway));
    }

    [Fact]
    public async Task A_filter_that_does_not_answer_in_time_refuses()
    {
        var asked = new TaskCompletionSource();
        await using TestGateway gateway = await StartAsync(async (_, _) =>
        {
            asked.TrySetResult();
            await new TaskCompletionSource().Task; // whatever the token says
            return null;
        });

        Task<Outcome> connecting = ConnectAsync(gateway);
        await asked.Task.WaitAsync(Eventually.Patience);
        _time.Advance(TimeSpan.FromSeconds(10));

        await ShouldBeRefusedAsFailedAsync(gateway, connecting);
    }

    [Fact]
    public async Task A_reason_that_no_close_frame_can_carry_still_refuses()
    {
        await using TestGateway gateway = await StartAsync((_, _) => ValueTask.FromResult<string?>(new string('x', 124)));

        await ShouldBeRefusedAsFailedAsync(gateway, ConnectAsync(gateway));
    }

    [Fact]
    public async Task One_of_several_filters_can_refuse()
    {
        await using TestGateway gateway = await StartAsync((_, _) => ValueTask.FromResult<string?>(null), (_, _) => ValueTask.FromResult<string?>("no"));

        (await ConnectAsync(gateway)).ShouldBeClosed(1008, "no");
    }

    [Fact]
    public async Task A_filter_is_asked_only_after_the_proof_is_verified()
    {
        int asked = 0;
        await using TestGateway gateway = await StartAsync((_, _) =>
        {
            asked++;
            return ValueTask.FromResult<string?>(null);
        });

        Ask forged = new() { SignedAt = _time.GetUtcNow(), Tamper = frame => frame["params"]!["device"]!["signature"] = new string('A', 86) };
        (await TestClient.ConnectAsync(gateway.Port, _device, forged)).ShouldBeClosed(1008, "device signature invalid");

        asked.ShouldBe(0);
    }

    [Fact]
    public async Task A_device_whose_filter_outlasts_the_gateway_gets_gateway_restarting()
    {
        var asked = new TaskCompletionSource();
        var answer = new TaskCompletionSource<string?>();
        await using TestGateway gateway = await StartAsync(async (_, _) =>
        {
            asked.TrySetResult();
            return await answer.Task;
        });
        Task<Outcome> connecting = ConnectAsync(gateway);
        await asked.Task.WaitAsync(Eventually.Patience);

        Task stopping = gateway.StopAsync();
        await Eventually.HoldsAsync(() => IsShutAsync(gateway.Port), "all sessions are closed, and then the server does not listen any more");
        answer.SetResult(null);

        Outcome told = await connecting;
        told.ShouldBeClosed(1012, "gateway restarting");
        told.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        await stopping.WaitAsync(Eventually.Patience);
    }

    private static async Task<bool> IsShutAsync(int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private async Task ShouldBeRefusedAsFailedAsync(TestGateway gateway, Task<Outcome> connecting)
    {
        (await connecting).ShouldBeClosed(1011, "internal error");
        gateway.Log.Of(1011).ShouldHaveSingleItem().ShouldContain(_device.Id.ToString());
        (await gateway.FindAsync(_device)).ShouldBeNull();
        gateway.Sessions.Count.ShouldBe(0);
    }

    private Task<Outcome> ConnectAsync(TestGateway gateway) => TestClient.ConnectAsync(gateway.Port, _device, new Ask { SignedAt = _time.GetUtcNow() });

    private Task<TestGateway> StartAsync(params Func<AdmissionContext, CancellationToken, ValueTask<string?>>[] filters) => TestGateway.StartAsync(
        services: services =>
        {
            services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") });
            foreach (Func<AdmissionContext, CancellationToken, ValueTask<string?>> filter in filters)
                services.AddSingleton<IAdmissionFilter>(new Filter(filter));
        },
        time: _time);

    private sealed class Filter(Func<AdmissionContext, CancellationToken, ValueTask<string?>> refuse) : IAdmissionFilter
    {
        public ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken) => refuse(admission, cancellationToken);
    }
}
