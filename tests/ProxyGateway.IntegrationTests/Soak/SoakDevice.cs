using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;
using Ask = ProxyGateway.IntegrationTests.Gate.Ask;

namespace ProxyGateway.IntegrationTests.Soak;

/// <summary>
/// One device with its owner and its operators, who do one thing after the other: so at each moment it is known what it may do, whatever happens
/// to Redis.
/// </summary>
internal sealed class SoakDevice(TestGateway[] gateways, SoakCounts counts, Random random)
{
    private static readonly string[] Roles = ["operator", "node"];
    private static readonly string[] AllScopes = ["camera", "operator.read", "operator.write"];

    private readonly TestDevice _device = new();
    private readonly Dictionary<string, HashSet<string>> _granted = [];
    private readonly List<(FrameConnection Connection, string Role, string[] Scopes)> _sessions = [];
    private (string Id, string Role, string[] Scopes)? _request;

    private TestGateway AnyGateway => gateways[random.Next(gateways.Length)];

    /// <summary>Does something.</summary>
    public async Task ActAsync()
    {
        switch (random.Next(12))
        {
            case < 5:
                await ConnectAsync();
                break;
            case < 8:
                await SpeakAsync();
                break;
            case 8:
                await LeaveAsync();
                break;
            case 9 when _request is not null:
                await DecideAsync();
                break;
            case 10:
                await NarrowAsync();
                break;
            case 11 when random.Next(3) == 0:
                await RemoveAsync();
                break;
        }
    }

    /// <summary>Disconnects everything.</summary>
    public async Task DisconnectAsync()
    {
        foreach ((FrameConnection connection, _, _) in _sessions)
            await connection.DisposeAsync();
        _sessions.Clear();
    }

    private async Task ConnectAsync()
    {
        if (_sessions.Count >= 3)
            await LeaveAsync();
        string role = Roles[random.Next(Roles.Length)];
        string[] scopes = [.. AllScopes.Where(_ => random.Next(2) == 0)];
        Outcome outcome;
        try
        {
            outcome = await TestClient.ConnectAsync(AnyGateway.RemotePort, _device, new Ask { Role = role, Scopes = scopes });
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            counts.Add("connections lost");
            return;
        }

        counts.Add("connections");
        bool isCovered = Covers(role, scopes);
        if (outcome.IsAdmitted)
        {
            counts.Add(isCovered ? "admitted" : "WRONGLY ADMITTED");
            _sessions.Add((outcome.Client, role, scopes));
            return;
        }

        await outcome.Client.DisposeAsync();
        if (outcome.Close?.CloseCode == 1013)
        {
            counts.Add("put off");
            return;
        }

        counts.Add(isCovered ? "WRONGLY REFUSED" : "refused");
        if (outcome.Close?.CloseReason.StartsWith("pairing required", StringComparison.Ordinal) == true)
            _request = (outcome.RequestId, role, scopes);
    }

    private async Task SpeakAsync()
    {
        foreach ((FrameConnection connection, _, _) in _sessions)
        {
            string text = $$"""{"text":"{{random.Next()}}"}""";
            await connection.SendTextAsync(text);
            counts.Add((await connection.ReceiveJsonAsync()).GetRawText() == text ? "messages relayed" : "MESSAGES GARBLED");
        }
    }

    private async Task LeaveAsync()
    {
        if (_sessions.Count == 0)
            return;
        int which = random.Next(_sessions.Count);
        await _sessions[which].Connection.DisposeAsync();
        _sessions.RemoveAt(which);
    }

    private async Task DecideAsync()
    {
        (string id, string role, string[] scopes) = _request!.Value;
        _request = null;
        bool approves = random.Next(4) > 0;
        TestGateway gateway = AnyGateway;
        Decision? decision = await InsistAsync(() => approves ? gateway.ApproveAsync(id) : gateway.RejectAsync(id));
        if (decision is not { Outcome: DecisionOutcome.Done or DecisionOutcome.AlreadyDone })
        {
            counts.Add("decided too late");
            return;
        }

        counts.Add(approves ? "approved" : "rejected");
        if (approves)
            (_granted.TryGetValue(role, out HashSet<string>? granted) ? granted : _granted[role] = []).UnionWith(scopes);
    }

    private async Task NarrowAsync()
    {
        if (_granted.Count == 0)
            return;
        (string role, HashSet<string> scopes) = _granted.ElementAt(random.Next(_granted.Count));
        scopes.RemoveWhere(_ => random.Next(2) == 0);
        TestGateway gateway = AnyGateway;
        await InsistAsync(() => gateway.NarrowAsync(_device, role, [.. scopes]));
        counts.Add("narrowed");
        await UncoveredShouldCloseAsync();
    }

    private async Task RemoveAsync()
    {
        TestGateway gateway = AnyGateway;
        await InsistAsync(async () =>
        {
            await gateway.RemoveAsync(_device);
            return (Decision?)null;
        });
        counts.Add("removed");
        _granted.Clear();
        _request = null;
        await UncoveredShouldCloseAsync();
    }

    // Each is closed by its gateway, at once where that hears of it, else as soon as it has looked.
    private async Task UncoveredShouldCloseAsync()
    {
        foreach ((FrameConnection Connection, string Role, string[] Scopes) session in _sessions.Where(s => !Covers(s.Role, s.Scopes)).ToArray())
        {
            Frame close = await session.Connection.ReceiveCloseAsync();
            counts.Add(close.CloseCode == 1008 ? "sessions revoked" : $"CLOSED WITH {close.CloseCode}");
            await session.Connection.DisposeAsync();
            _sessions.Remove(session);
        }
    }

    // An operator who gets no answer asks again.
    private async Task<T> InsistAsync<T>(Func<Task<T>> operation)
    {
        while (true)
        {
            try
            {
                return await operation();
            }
            catch (RegistryUnavailableException)
            {
                counts.Add("operations repeated");
                await Task.Delay(50); // as long as the registry is away there is nothing else to wait for
            }
        }
    }

    private bool Covers(string role, string[] scopes) => _granted.TryGetValue(role, out HashSet<string>? granted)
        && scopes.All(s => granted.Contains(s) || (role == "operator" && s == "operator.read" && granted.Contains("operator.write")));
}
