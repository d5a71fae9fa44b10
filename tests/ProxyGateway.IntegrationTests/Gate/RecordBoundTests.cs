using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A device that asks for ever more on loopback gets so much by rules, and its record is not what others wait for.</summary>
public sealed class RecordBoundTests : IAsyncLifetime
{
    private const int MostBytes = 64 * 1024;

    private readonly TestDevice _device = new();
    private TestGateway _gateway = null!;

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync();

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Fact]
    public async Task A_record_does_not_grow_past_its_bounds_and_others_are_served()
    {
        var other = new TestDevice();
        (await TestClient.ConnectAsync(_gateway.Port, other)).ShouldBeAdmitted();
        (await ConnectAsync("first", 1)).ShouldBeAdmitted();

        var outcomes = new List<string>();
        for (int i = 0; i < 20; i++)
        {
            Outcome outcome = await ConnectAsync($"{i}", i % 2 == 0 ? 15 : 64); // just under 2 KiB, and 8 KiB
            outcomes.Add(outcome.IsAdmitted ? "admitted" : outcome.Close!.CloseReason);
        }

        outcomes.Count(o => o == "admitted").ShouldBe(2, string.Join(", ", outcomes));
        outcomes.ShouldContain(o => o.StartsWith("pairing required", StringComparison.Ordinal), "an operator decides about the rest");
        outcomes[^1].ShouldStartWith("try again later", customMessage: "of which there is only so much, too");
        DeviceRecord record = (await _gateway.FindAsync(_device))!;
        record.ScopesOf("operator").Count.ShouldBe(31);
        DeviceDocument.Serialize(record).Length.ShouldBeLessThan(MostBytes);
        (await ConnectAsync("0", 15)).ShouldBeAdmitted();
        (await TestClient.ConnectAsync(_gateway.Port, other)).ShouldBeAdmitted();
    }

    private Task<Outcome> ConnectAsync(string name, int count) => TestClient.ConnectAsync(
        _gateway.Port, _device, new Ask { Scopes = [.. Enumerable.Range(0, count).Select(i => $"{name}:{i}".PadLeft(128, 's'))] });
}
