using System.Text.Json;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>One connection through the gate, seen from both ends.</summary>
internal sealed record Encounter(TestGateway Gateway, FrameConnection Client, FrameConnection Backend) : IAsyncDisposable
{
    /// <summary>Opens a connection, up to the challenge. The gateway must have no connection that was not accepted yet.</summary>
    public static async Task<Encounter> OpenAsync(TestGateway gateway, int? port = null, string? host = null, params string[] headers)
    {
        FrameConnection client = await TestClient.OpenAsync(port ?? gateway.Port, "/", host, headers);
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        (await client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("connect.challenge");
        return new Encounter(gateway, client, backend);
    }

    /// <summary>Opens a connection and asks.</summary>
    public static async Task<Encounter> AskAsync(TestGateway gateway, TestDevice device, Ask? ask = null, int? port = null, string? host = null, params string[] headers)
    {
        Encounter encounter = await OpenAsync(gateway, port, host, headers);
        await encounter.Client.SendTextAsync((ask ?? new Ask()).SignedBy(device));
        return encounter;
    }

    public async Task ShouldBeAdmittedAsync(string id = "connect-1")
    {
        JsonElement answer = await Client.ReceiveJsonAsync();
        answer.GetProperty("id").GetString().ShouldBe(id);
        answer.GetProperty("ok").GetBoolean().ShouldBeTrue(answer.ToString());
    }

    /// <summary>
    /// Refused with this close code and reason, and not a byte of the client's data has reached the backend. The answer that came
    /// before the close frame; null if there was none.
    /// </summary>
    public async Task<JsonElement?> ShouldBeClosedAsync(int code, string reason)
    {
        JsonElement? answer = null;
        while (true)
        {
            Frame frame = await Client.ReceiveAsync() ?? throw new EndOfStreamException("The connection ended without a close frame.");
            if (frame.Opcode == Opcode.Text)
            {
                answer.ShouldBeNull("There is one answer.");
                answer = frame.Json;
                continue;
            }

            frame.Opcode.ShouldBe(Opcode.Close);
            $"{frame.CloseCode} {frame.CloseReason}".ShouldBe($"{code} {reason}");
            frame.Payload.Length.ShouldBeLessThanOrEqualTo(125);
            break;
        }

        await Client.DisposeAsync();
        await BackendShouldHaveHeardNothingAsync();
        return answer;
    }

    /// <summary>Refused until an operator approves, and not a byte of the client's data has reached the backend. The request's id.</summary>
    public async Task<string> ShouldRequirePairingAsync(string reason)
    {
        JsonElement answer = await Client.ReceiveJsonAsync();
        var outcome = new Outcome(Client, answer, await Client.ReceiveCloseAsync());
        outcome.ShouldRequirePairing(reason);
        await Client.DisposeAsync();
        await BackendShouldHaveHeardNothingAsync();
        return outcome.RequestId;
    }

    /// <summary>Waits for the backend's connection to end: at most control frames have come over it.</summary>
    public async Task BackendShouldHaveHeardNothingAsync()
    {
        await Backend.Completion;
        (await Backend.ReceivedFramesAsync()).ShouldAllBe(f => f.Opcode >= Opcode.Close);
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Backend.Completion;
    }
}

/// <summary>A gateway that the tests of one class share, which run one after the other.</summary>
public class SharedGateway : IAsyncLifetime
{
    internal TestGateway Gateway { get; private set; } = null!;

    public async Task InitializeAsync() => Gateway = await StartAsync();

    public async Task DisposeAsync() => await Gateway.DisposeAsync();

    private protected virtual Task<TestGateway> StartAsync() => TestGateway.StartAsync(Settings);

    private protected virtual Dictionary<string, string?> Settings => Generous;

    /// <summary>Tests come from one address, and faster than a client would.</summary>
    internal static Dictionary<string, string?> Generous => new()
    {
        ["DeviceAuth:Limits:HandshakesPerAddress"] = "1000",
        ["DeviceAuth:Limits:HandshakesPerDestination"] = "1000",
        ["DeviceAuth:Limits:PendingRequestsPerAddress"] = "1000",
    };
}
