using System.Collections.Immutable;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>At which backends the gate approves: where their token is configured, as long as it is, and while the gateway does not end.</summary>
public sealed class BackendPairingsTests : IAsyncLifetime, IDisposable
{
    private const string Token = "the-token";
    private static readonly Approval NotConfigured = new(IsConfigured: false, "nothing is configured");

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryGate _gate = new();
    private readonly Settings _settings = new();
    private readonly MemoryBackend _backend;
    private readonly PacedLogger<BackendPairings> _logger;
    private readonly BackendPairings _pairings;

    public BackendPairingsTests()
    {
        _backend = new MemoryBackend(_claim.Device.ToString());
        _logger = new PacedLogger<BackendPairings>(NullLogger<BackendPairings>.Instance, _time);
        _settings.Set("agent", new OpenClawBackendOptions { Token = Token });
        _pairings = new BackendPairings(_settings, _gate.Get<Draining>(), _time, _logger);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _pairings.DisposeAsync();

    public void Dispose()
    {
        _backend.Dispose();
        _logger.Dispose();
        _gate.Dispose();
    }

    [Fact]
    public async Task Over_one_connection_all_of_a_destination_are_approved()
    {
        (await ApproveAsync()).ShouldBe(Approval.Done);
        (await ApproveAsync()).ShouldBe(new Approval(IsConfigured: true, Problem: null));

        _backend.Connections.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("agent", true)]
    [InlineData("AGENT", true)] // as clusters are named in the configuration
    [InlineData("other", false)]
    [InlineData(null, false)]
    public async Task Only_where_a_token_is_configured_the_gate_approves(string? cluster, bool approves)
    {
        Approval approval = await ApproveAsync(cluster is null ? null : _backend.Destination() with { Cluster = cluster }, named: cluster is not null);

        approval.ShouldBe(approves ? Approval.Done : NotConfigured);
        _backend.Connections.Count.ShouldBe(approves ? 1 : 0);
    }

    [Fact]
    public async Task Each_destination_of_a_cluster_has_its_own_connection()
    {
        await ApproveAsync();
        await ApproveAsync(_backend.Destination() with { Id = "b" });

        _backend.Connections.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Why_it_is_not_approved_is_said()
    {
        _backend.Answers["device.pair.list"] = ["""{"type":"res","id":"@","ok":true,"payload":{}}"""];

        (await ApproveAsync()).ShouldBe(new Approval(IsConfigured: true, "it has no such request any more"));
    }

    // The device has asked for more past the gate between list and approval.
    [Theory]
    [InlineData("""{"type":"res","id":"@","ok":true,"payload":{}}""", ", and the gate has removed the device there")]
    [InlineData("""{"type":"res","id":"@","ok":false,"error":{"code":"NO","message":"not now"}}""", ", and the gate could not take it back (it refuses: NO (not now))")]
    public async Task An_approval_of_more_than_is_granted_costs_the_device_all_that_it_has_there(string removal, string outcome)
    {
        string device = _claim.Device.ToString();
        _backend.Answers["device.pair.approve"] =
            [$$$"""{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1","device":{"deviceId":"{{{device}}}","role":"operator","scopes":["operator.admin"]} } }"""];
        _backend.Answers["device.pair.remove"] = [removal];

        Approval approval = await ApproveAsync();

        (approval.IsConfigured, approval.WasWider).ShouldBe((true, true));
        approval.Problem.ShouldNotBeNull().ShouldStartWith("it has approved more than the gate has granted, ");
        approval.Problem.ShouldEndWith($" as operator with [operator.admin]{outcome}");
        _backend.Calls[^1].ShouldBe($$"""device.pair.remove {"deviceId":"{{device}}"}""");
        Approval.Done.WasWider.ShouldBeFalse();
        _backend.AnswerHonestly();
        ((await ApproveAsync()).Problem is null).ShouldBe(outcome.EndsWith("has removed the device there", StringComparison.Ordinal), "the connection is kept for other devices");
    }

    [Fact]
    public async Task A_client_that_leaves_is_not_waited_for()
    {
        using var gone = new CancellationTokenSource();
        _backend.Answers["device.pair.list"] = [];
        Task<Approval> approving = ApproveAsync(gone: gone.Token);

        await gone.CancelAsync();

        (await approving.WaitAsync(Endpoint.Patience)).ShouldBe(new Approval(IsConfigured: true, "the client has left, or its grant is gone"));
    }

    [Fact]
    public async Task A_gateway_that_ends_closes_its_connections_and_approves_nothing_more()
    {
        await ApproveAsync();
        await Task.Run(() => _gate.Get<IHostApplicationLifetime>().StopApplication());

        await IsClosedAsync(0);
        (await ApproveAsync()).ShouldBe(new Approval(IsConfigured: true, "the gateway ends"));
    }

    [Fact]
    public async Task A_token_that_is_taken_away_closes_the_connection()
    {
        await ApproveAsync();

        _settings.Set("agent", null);

        await IsClosedAsync(0);
        (await ApproveAsync()).ShouldBe(NotConfigured);
    }

    [Fact]
    public async Task A_token_that_is_changed_is_shown_over_a_new_connection()
    {
        await ApproveAsync();

        _settings.Set("agent", new OpenClawBackendOptions { Token = "another-token" });

        await IsClosedAsync(0);
        (await ApproveAsync()).ShouldBe(Approval.Done);
        _backend.Calls.Where(c => c.StartsWith("connect ", StringComparison.Ordinal)).Last().ShouldContain("another-token");
    }

    [Fact]
    public async Task A_token_that_is_changed_at_the_last_moment_is_not_shown_any_more()
    {
        int reads = 0;
        _settings.AfterRead = () =>
        {
            if (++reads != 2)
                return;
            _settings.AfterRead = null;
            _settings.Set("agent", new OpenClawBackendOptions { Token = "another-token" });
        };

        (await ApproveAsync()).ShouldBe(Approval.Done);

        _backend.Calls.Where(c => c.StartsWith("connect ", StringComparison.Ordinal)).ShouldHaveSingleItem().ShouldContain("another-token");
    }

    [Fact]
    public async Task A_reload_that_changes_nothing_closes_nothing()
    {
        await ApproveAsync();

        _settings.Set("other", new OpenClawBackendOptions { Token = "another-token" });

        (await ApproveAsync()).ShouldBe(Approval.Done);
        _backend.Connections.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Once_disposed_of_it_holds_no_connection_and_hears_of_no_reload()
    {
        var pairings = new BackendPairings(_settings, _gate.Get<Draining>(), _time, _logger);
        await ApproveAsync(pairings: pairings);

        await pairings.DisposeAsync();

        await IsClosedAsync(0);
        _settings.Handlers.ShouldBe(1, "that of the other one");
    }

    [Theory]
    [InlineData("token", null)]
    [InlineData("no token", "holds no token")]
    [InlineData(null, "There is no file")]
    public async Task A_file_that_holds_no_token_is_an_error_at_start(string? content, string? error)
    {
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        string file = Path.Combine(folder, "token");
        if (content is not null)
            File.WriteAllText(file, content);
        if (content is not null && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _settings.Set("agent", new OpenClawBackendOptions { TokenFile = "token" });
        await using var pairings = new BackendPairings(
            _settings, _gate.Get<Draining>(), _time, _logger, new HostingEnvironment { ContentRootPath = folder });

        Exception? failed = await Record.ExceptionAsync(() => pairings.StartAsync(CancellationToken.None));
        Directory.Delete(folder, recursive: true);

        if (error is null)
            failed.ShouldBeNull();
        else
            failed.ShouldNotBeNull().Message.ShouldContain(error);
    }

    private Task<TimeSpan> IsClosedAsync(int connection) =>
        Eventually.HoldsAsync(() => Task.FromResult(!_backend.Connections[connection].Stream.IsReading), "it is closed", Endpoint.Patience);

    private Task<Approval> ApproveAsync(BackendDestination? destination = null, bool named = true, BackendPairings? pairings = null, CancellationToken gone = default)
    {
        var grant = new BackendGrant(_claim, Some.Paired(_claim, DateTimeOffset.UnixEpoch), ScopeImplications.Default);
        return (pairings ?? _pairings).ApproveAsync(
            named ? destination ?? _backend.Destination() : destination, _claim.Device, _ => ValueTask.FromResult(grant), "r1", TimeSpan.FromSeconds(10), gone).WaitAsync(Endpoint.Patience, CancellationToken.None);
    }

    private sealed class Settings : IDeviceAuthSettings
    {
        private Action? _changed;

        public event Action Changed
        {
            add => _changed += value;
            remove => _changed -= value;
        }

        public DeviceAuthOptions Current
        {
            get
            {
                DeviceAuthOptions current = field;
                AfterRead?.Invoke();
                return current;
            }
            private set;
        }
        = new();

        public Action? AfterRead { get; set; }

        public int Handlers => _changed?.GetInvocationList().Length ?? 0;

        public void Set(string cluster, OpenClawBackendOptions? options)
        {
            ImmutableDictionary<string, OpenClawBackendOptions> all = Current.OpenClawBackends;
            Current = Current with { OpenClawBackends = options is null ? all.Remove(cluster) : all.SetItem(cluster, options) };
            _changed?.Invoke();
        }
    }
}
