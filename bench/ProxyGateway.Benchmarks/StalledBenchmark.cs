using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace ProxyGateway.Benchmarks;

/// <summary><c>bench/run stalled</c>: what the gateway holds for handshakes that go no further.</summary>
internal static class StalledBenchmark
{
    private static readonly Option<int> Count = new("--connections") { Description = "How many", DefaultValueFactory = _ => 10_000 };

    public static Command Command()
    {
        var command = new Command("stalled", "The gateway's memory with many handshakes that stop in the middle, and after them") { Count };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(Count)));
        return command;
    }

    private static async Task<int> RunAsync(int count)
    {
        await MeasureAsync("half an HTTP request", count, static async (client, address) =>
        {
            await client.SendAsync($"GET / HTTP/1.1\r\nHost: gateway.example\r\nX-Forwarded-For: {address}\r\n");
        });
        await MeasureAsync("upgraded, challenged, and then silent", count, static async (client, address) =>
        {
            await OpenAsync(client, address);
        });
        await MeasureAsync("upgraded, and half a connect frame", count, static async (client, address) =>
        {
            await OpenAsync(client, address);
            await client.SendHalfAFrameAsync();
        });
        return 0;
    }

    private static async Task MeasureAsync(string what, int count, Func<RawClient, string, Task> stall)
    {
        // Without these bounds there would be 21 of them, or 28.
        string most = count.ToString(CultureInfo.InvariantCulture) + "00";
        await using RunningGateway gateway = await RunningGateway.StartAsync(new JsonObject
        {
            ["HandshakeTimeout"] = "00:10:00",
            ["Limits"] = new JsonObject
            {
                ["Handshakes"] = most,
                ["HandshakesPerDestination"] = most,
                ["HandshakesPerAddress"] = most,
                ["HandshakesPerSecondPerAddress"] = most,
                ["ConnectionsPerAddress"] = "1000000",
            },
        });
        using (RawClient first = await RawClient.ConnectAsync(gateway.Port))
            await stall(first, Address(0));

        long before = await gateway.ResidentBytesAsync();
        int handles = gateway.Handles();
        var clients = new List<RawClient>(count);
        for (int i = 0; i < count; i++)
        {
            RawClient client = await RawClient.ConnectAsync(gateway.Port);
            clients.Add(client);
            await stall(client, Address(i));
        }

        long during = await gateway.ResidentBytesAsync();
        Console.WriteLine($"{what}: {count:N0} connections, {(during - before) / 1048576.0:N0} MiB more ({(during - before) / 1024.0 / count:N1} KiB each), {gateway.Handles() - handles:N0} handles");
        clients.ForEach(c => c.Dispose());
        for (int i = 0; i < 100 && gateway.Handles() > handles + 10; i++)
            await Task.Delay(100);
        Console.WriteLine($"  when they have left: {gateway.Handles() - handles:N0} handles more than before, {(await gateway.ResidentBytesAsync() - before) / 1048576.0:N0} MiB more");
    }

    private static async Task OpenAsync(RawClient client, string address)
    {
        int status = await client.UpgradeAsync(address);
        if (status != 101 || await client.ReceiveTextAsync() is null)
            throw new InvalidOperationException($"The upgrade for {address} was not to be had ({status}). Are there enough handles (ulimit -n)?");
    }

    private static string Address(int i) => string.Create(CultureInfo.InvariantCulture, $"10.{i / 65536}.{i / 256 % 256}.{i % 256}");
}
