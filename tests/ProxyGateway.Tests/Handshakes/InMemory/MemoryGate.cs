using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Tests.Handshakes.InMemory;

/// <summary>A whole gate with a registry in memory, and a clock that stands still until a test moves it. Its connections are <see cref="MemoryTunnel"/>s.</summary>
internal sealed class MemoryGate : IDisposable
{
    private readonly ServiceProvider _services;
    private readonly Recorder _recorder = new();
    private readonly List<MemoryTunnel> _tunnels = [];

    public MemoryGate(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null, Action<IServiceCollection>? add = null)
    {
        IServiceCollection services = new ServiceCollection()
            .AddSingleton<TimeProvider>(Time)
            .AddSingleton<IHostApplicationLifetime>(new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance))
            .AddSingleton<IAuditListener>(_recorder)
            .AddLogging(logging => logging.AddProvider(_recorder));
        services.AddDeviceAuthorization(configure ?? (options => options)).AddInMemoryStore();
        add?.Invoke(services);
        _services = services.BuildServiceProvider();
    }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 12, 1, 0, 0, 0, TimeSpan.Zero));

    public DeviceAuthOptions Options => Get<IDeviceAuthSettings>().Current;

    /// <summary>The ids of what was logged of handshakes.</summary>
    public IEnumerable<int> Logged => _recorder.Events.Where(id => id is >= 1100 and < 1110);

    /// <summary>The ids of what was logged of backends that refuse.</summary>
    public IEnumerable<int> LoggedOfBackends => _recorder.Events.Where(id => id is 1105 or (>= 1120 and < 1130));

    /// <summary>What was entered in the audit, as in <c>device-refused handshake timeout</c>.</summary>
    public IReadOnlyCollection<string> Audited => _recorder.Entries;

    /// <summary>How often an event was logged.</summary>
    public int TimesLogged(int id) => _recorder.Events.Count(logged => logged == id);

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    /// <summary>A client connects, and the backend, which was opened before, has said nothing yet.</summary>
    /// <param name="origin">Where the client comes from; null for loopback, where rules approve.</param>
    /// <param name="device">The client's device; null for a new one.</param>
    /// <param name="room">How many bytes may be on the way to the client.</param>
    public async Task<MemoryTunnel> ConnectAsync(ClaimOrigin? origin = null, SigningDevice? device = null, int room = 1 << 20)
    {
        Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", Options.Limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
        var tunnel = new MemoryTunnel(this, place, room) { Device = device ?? new SigningDevice() };
        _tunnels.Add(tunnel);
        await tunnel.StartAsync(Get<ConnectFrameHandshake>(), origin ?? Some.Loopback, Options);
        return tunnel;
    }

    /// <summary>Moves the clock. All that the gate does about it at once has happened after this.</summary>
    public Task AdvanceAsync(TimeSpan time) => Task.Run(() => Time.Advance(time));

    public void Dispose()
    {
        _tunnels.ForEach(t => t.Dispose());
        _services.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private sealed class Recorder : ILoggerProvider, ILogger, IAuditListener
    {
        public ConcurrentQueue<int> Events { get; } = [];

        public ConcurrentQueue<string> Entries { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Events.Enqueue(eventId.Id);

        public void Entered(AuditEntry entry) => Entries.Enqueue($"{entry.Kind} {entry.Reason}".TrimEnd());

        public void Dispose()
        {
        }
    }
}
