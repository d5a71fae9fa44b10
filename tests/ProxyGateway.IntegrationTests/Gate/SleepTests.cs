using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>The gateway's machine sleeps while a decision is under way: timers stand still, and only the wall clock shows it.</summary>
public sealed class SleepTests : IDisposable
{
    private readonly TwoClocks _time = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sleep-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(25, true)]
    [InlineData(35, false)]
    public async Task What_was_read_before_a_sleep_admits_nobody_once_a_change_may_have_been_missed(int seconds, bool isAdmitted)
    {
        var store = new PausingStore(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") }, _time));
        await using TestGateway gateway = await TestGateway.StartAsync(services: s => s.AddSingleton<IDeviceStore>(store), time: _time);
        var device = new TestDevice();
        var ask = new Ask { SignedAt = _time.GetUtcNow() };
        Outcome before = await TestClient.ConnectAsync(gateway.Port, device, ask);
        before.ShouldBeAdmitted();

        store.PauseAfterNextRead();
        FrameConnection client = await TestClient.AskAsync(gateway.Port, device, ask);
        await store.Paused;
        _time.Sleep(TimeSpan.FromSeconds(seconds));
        store.Continue();

        Outcome outcome = await TestClient.OutcomeAsync(client);
        if (isAdmitted)
            outcome.ShouldBeAdmitted();
        else
            outcome.ShouldBeClosed(1013, "registry unavailable");
        gateway.Log.Of(1006).Count().ShouldBe(isAdmitted ? 0 : 1);
        gateway.Sessions.Count.ShouldBe(isAdmitted ? 2 : 1); // with the one of before
        GC.KeepAlive(before); // a collected socket closes, and so does its session
    }
}
