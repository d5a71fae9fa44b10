using System.Collections.Concurrent;
using System.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>
/// What goes on at a gateway while something happens to its registry: paired devices connect, so do removed ones, which no rule may bring back,
/// and new ones are paired. Every call is noted, so that it can be said what became of those that were made while Redis was away.
/// </summary>
internal sealed class Traffic : IAsyncDisposable
{
    private const int Devices = 20;

    private static readonly CancellationToken None = CancellationToken.None;

    // As on loopback: what a rule would approve again the moment that a removal is forgotten.
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly DeviceRegistry _registry;
    private readonly DeviceRegistry _patient;
    private readonly DeviceClaim[] _paired = [.. Enumerable.Range(0, Devices).Select(_ => Some.Claim("operator", "operator.read"))];
    private readonly DeviceClaim[] _removed = [.. Enumerable.Range(0, Devices).Select(_ => Some.Claim("operator", "operator.read"))];
    private readonly ConcurrentQueue<DeviceClaim> _approved = [];
    private readonly ConcurrentQueue<(long Began, long Ended, bool IsAdmitted)> _admissions = [];
    private readonly CancellationTokenSource _over = new();
    private Task _running = Task.CompletedTask;
    private int _wronglyAdmitted;

    private Traffic(IDeviceStore store, IDeviceStore patient) => (_registry, _patient) = (new DeviceRegistry(store), new DeviceRegistry(patient));

    /// <summary>Admissions so far.</summary>
    public int Admitted => _admissions.Count(a => a.IsAdmitted);

    /// <summary>Admissions so far that were refused because the registry was unavailable.</summary>
    public int Refused => _admissions.Count(a => !a.IsAdmitted);

    /// <param name="store">What the gateway uses.</param>
    /// <param name="patient">The same with a longer time-out, for what has to succeed however busy the machine is.</param>
    public static async Task<Traffic> StartAsync(IDeviceStore store, IDeviceStore? patient = null)
    {
        var traffic = new Traffic(store, patient ?? store);
        foreach (DeviceClaim claim in traffic._paired.Concat(traffic._removed))
            (await traffic._patient.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
        foreach (DeviceClaim claim in traffic._removed)
            (await traffic._patient.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
        traffic._running = Task.WhenAll(
            Task.Run(() => traffic.RepeatAsync(traffic.ConnectPairedAsync)),
            Task.Run(() => traffic.RepeatAsync(traffic.ConnectPairedAsync)),
            Task.Run(() => traffic.RepeatAsync(traffic.ConnectRemovedAsync)),
            Task.Run(() => traffic.RepeatAsync(traffic.PairAsync)));
        await traffic.FlowsAsync();
        return traffic;
    }

    /// <summary>Waits until paired devices are admitted that begin to connect now, and others have been paired; says how long that took.</summary>
    public async Task<TimeSpan> FlowsAsync()
    {
        long now = Stopwatch.GetTimestamp();
        int approved = _approved.Count;
        TimeSpan took = await Eventually.HoldsAsync(() => Task.FromResult(_admissions.Any(a => a.Began > now && a.IsAdmitted)), "paired devices are admitted");
        await Eventually.HoldsAsync(() => Task.FromResult(_approved.Count > approved + 5), "devices are being paired");
        return took;
    }

    /// <summary>Waits until as many admissions were tried, and decided, that began no earlier than now.</summary>
    public Task TriesAsync(int count)
    {
        long now = Stopwatch.GetTimestamp();
        return Eventually.HoldsAsync(() => Task.FromResult(_admissions.Count(a => a.Began > now) >= count), $"{count} admissions were tried");
    }

    /// <summary>What became of admissions that began and ended between two times.</summary>
    public (int Admitted, int Refused) Between(long from, long to)
    {
        bool[] between = [.. _admissions.Where(a => a.Began > from && a.Ended < to).Select(a => a.IsAdmitted)];
        return (between.Count(admitted => admitted), between.Count(admitted => !admitted));
    }

    /// <summary>Ends it, and sees that nobody was wrongly admitted and no approval was lost.</summary>
    /// <returns>The figures, for people.</returns>
    public async Task<string> ShouldHaveLostNothingAsync()
    {
        await _over.CancelAsync();
        await _running;
        int lost = 0;
        foreach (DeviceClaim claim in _approved.Concat(_paired))
        {
            if (await _patient.AdmitAsync(claim, Some.Loopback, Some.Rules, None) is not Admission.Admitted)
                lost++;
        }

        foreach (DeviceClaim claim in _removed)
            await ConnectRemovedAsync(_patient, claim);
        _wronglyAdmitted.ShouldBe(0, "wrongly admitted");
        lost.ShouldBe(0, "approvals lost");
        return $"{Admitted} admitted, {Refused} refused, {_wronglyAdmitted} wrongly admitted; {_approved.Count} approvals acknowledged, {lost} lost";
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _running;
        _over.Dispose();
    }

    private async Task RepeatAsync(Func<DeviceClaim, Task> call)
    {
        for (int i = 0; !_over.IsCancellationRequested; i++)
        {
            try
            {
                await call((call == ConnectRemovedAsync ? _removed : _paired)[i % Devices]);
            }
            catch (RegistryUnavailableException)
            {
                await Task.Delay(1); // a connection that is away fails at once
            }
        }
    }

    private async Task ConnectPairedAsync(DeviceClaim claim)
    {
        long began = Stopwatch.GetTimestamp();
        bool isAdmitted = false;
        try
        {
            isAdmitted = await _registry.AdmitAsync(claim, Some.Loopback, Some.Rules, None) is Admission.Admitted
                ? true
                : throw new InvalidOperationException("A paired device is told to wait for an operator.");
        }
        finally
        {
            _admissions.Enqueue((began, Stopwatch.GetTimestamp(), isAdmitted));
        }
    }

    private Task ConnectRemovedAsync(DeviceClaim claim) => ConnectRemovedAsync(_registry, claim);

    private async Task ConnectRemovedAsync(DeviceRegistry registry, DeviceClaim claim)
    {
        if (await registry.AdmitAsync(claim, Some.Loopback, Silent, None) is Admission.Admitted)
            Interlocked.Increment(ref _wronglyAdmitted);
    }

    private async Task PairAsync(DeviceClaim another)
    {
        DeviceClaim claim = Some.Claim(another.Role, [.. another.Scopes]);
        if (await _registry.AdmitAsync(claim, Some.Origin, Some.Rules, None) is Admission.Refused { Request.Id: var id }
            && await _registry.ApproveAsync(id, scopes: null, Some.Operator, Some.Rules, None) is { Outcome: DecisionOutcome.Done })
            _approved.Enqueue(claim);
    }
}
