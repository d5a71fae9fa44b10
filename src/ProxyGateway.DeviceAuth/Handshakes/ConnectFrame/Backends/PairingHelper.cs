using System.Text.Json;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Files;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>
/// Approves pairings at one destination, one after the other, over one connection. It is opened when it is needed, kept while it is used, and opened
/// again when it is lost; an attempt that fails puts off the next one.
/// </summary>
/// <param name="options">The token.</param>
/// <param name="contentRoot">What a relative file is relative to.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The log.</param>
internal sealed class PairingHelper(OpenClawBackendOptions options, string contentRoot, TimeProvider time, BackendLog log) : IAsyncDisposable
{
    /// <summary>How many approvals wait for their turn at most.</summary>
    public const int MaxWaiting = 64;

    /// <summary>How many of these may be for one device: it may have more sessions than others have patience.</summary>
    public const int MaxWaitingOfDevice = 4;

    /// <summary>
    /// How long a connection is kept that is not used. A session with these scopes gets every event of the backend, which would be read for nothing.
    /// </summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(1);

    private const string Gone = "the client has left, or its grant is gone";

    private static readonly TimeSpan TakeBackTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly Dictionary<DeviceId, int> _waiting = [];
    private readonly CancellationTokenSource _ended = new();
    private PairingConnection? _connection;
    private HelperDevice? _device; // null as long as the backend gives scopes to clients without one
    private Uri? _address;
    private ITimer? _idle;
    private TimeSpan _backoff;
    private long _failedAt;

    /// <summary>The token that it is to show.</summary>
    public OpenClawBackendOptions Options => options;

    /// <summary>Approves a request at the backend, if all that it would give is granted.</summary>
    /// <param name="destination">The destination, as the proxy has it now.</param>
    /// <param name="device">The device.</param>
    /// <param name="readGrant">Reads what the gate grants now; throws a <see cref="BackendPairingException"/> if that is nothing.</param>
    /// <param name="requestId">The id of the request, as the backend has named it.</param>
    /// <param name="patience">How long it may take, the half of it in the queue: who has less time left would blame the backend for it, and so put off all others.</param>
    /// <param name="gone">Cancelled when the client is gone, or its grant: nothing is approved from then on. A call that is under way ends as it does, so that
    /// clients that leave do not cost others the connection.</param>
    /// <exception cref="BackendPairingException">It is not approved.</exception>
    public async Task ApproveAsync(
        BackendDestination destination, DeviceId device, Func<CancellationToken, ValueTask<BackendGrant>> readGrant, string requestId, TimeSpan patience,
        CancellationToken gone)
    {
        Queue(device);
        bool hasTurn = false;
        using var deadline = new CancellationTokenSource(patience, time);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, _ended.Token);
        try
        {
            using (var queueing = new CancellationTokenSource(patience / 2, time))
            using (var either = CancellationTokenSource.CreateLinkedTokenSource(queueing.Token, _ended.Token, gone))
                await _turn.WaitAsync(either.Token);
            hasTurn = true;
            try
            {
                await ApproveInTurnAsync(destination, readGrant, requestId, gone, late.Token);
            }
            catch (BackendPairingException e) when (e.LacksScope && _device is null)
            {
                _device = new HelperDevice(time);
                await CloseAsync();
                await ApproveInTurnAsync(destination, readGrant, requestId, gone, late.Token);
            }
        }
        catch (OperationCanceledException)
        {
            throw new BackendPairingException(
                gone.IsCancellationRequested ? Gone
                : _ended.IsCancellationRequested ? "the gateway ends, or its configuration has changed"
                : hasTurn ? $"it took longer than {patience:c}"
                : "others were first, and their approvals took too long");
        }
        finally
        {
            if (hasTurn)
                _turn.Release();
            Unqueue(device);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _turn.WaitAsync(CancellationToken.None); // for good
        await CloseAsync();
        _device?.Dispose();
    }

    private void Queue(DeviceId device)
    {
        lock (_waiting)
        {
            int ofDevice = _waiting.GetValueOrDefault(device);
            if (ofDevice >= MaxWaitingOfDevice)
                throw new BackendPairingException("too many approvals of this device wait for it");
            if (_waiting.Values.Sum() >= MaxWaiting)
                throw new BackendPairingException("too many approvals wait for it");
            _waiting[device] = ofDevice + 1;
        }
    }

    private void Unqueue(DeviceId device)
    {
        lock (_waiting)
        {
            if (--_waiting[device] == 0)
                _waiting.Remove(device);
        }
    }

    private async Task ApproveInTurnAsync(
        BackendDestination destination, Func<CancellationToken, ValueTask<BackendGrant>> readGrant, string requestId, CancellationToken gone,
        CancellationToken cancellationToken)
    {
        _idle?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        PairingConnection connection = await NeedConnectionAsync(destination, cancellationToken);
        bool isInOrder = false;
        try
        {
            (PendingPairing? pending, PendingPairing? paired) = await connection.CallAsync(
                "device.pair.list",
                static _ => { },
                payload => PendingPairing.Find(payload, requestId) is { } found ? (found, PendingPairing.FindPaired(payload, found.Device)) : default,
                cancellationToken);
            isInOrder = true;
            if (pending is null)
                throw new BackendPairingException("it has no such request any more");

            // After the list, for which a backend may take its time: an operator may have taken something away meanwhile, also what this session does not
            // use. Older OpenClaw gateways merge what a device asks for next into the open request, so that this is as late as it can be, and not atomic.
            BackendGrant grant = await readGrant(cancellationToken);
            if (!grant.Covers(pending))
            {
                throw new BackendPairingException(
                    $"the request is for more than the gate has granted, or for another device: {Describe(pending)}. Only its owner can approve that");
            }

            if (gone.IsCancellationRequested)
                throw new BackendPairingException(Gone);

            isInOrder = false;
            PendingPairing? approved = await connection.CallAsync(
                "device.pair.approve", json => json.WriteString("requestId"u8, requestId), payload => DeviceIn(payload, requestId), cancellationToken);
            if (approved?.Device != grant.Claim.Device.ToString())
                throw new BackendPairingException("it says that it has approved another device");
            if (!grant.CoversAddition(paired, approved))
                await TakeBackAsync(connection, approved);
            isInOrder = true;
        }
        catch (BackendPairingException e) when (e.IsTakenBack)
        {
            isInOrder = true;
            throw;
        }
        catch (BackendPairingException e) when (e.IsRefusal)
        {
            // As when the device has asked for something else meanwhile: if that cost the connection, one device could keep all others waiting.
            isInOrder = true;
            throw;
        }
        finally
        {
            if (!isInOrder)
                await FailAsync();
            else
                KeepForAWhile();
        }
    }

    /// <summary>
    /// The device has asked for more past the gate between the list and the approval, and the backend has merged it into the request: the device loses all that it has
    /// at the backend, as no call takes only that back.
    /// </summary>
    /// <exception cref="BackendPairingException">Always.</exception>
    private async Task TakeBackAsync(PairingConnection connection, PendingPairing approved)
    {
        using var deadline = new CancellationTokenSource(TakeBackTimeout, time); // of its own: nothing else may cut it short
        string wider = $"it has approved more than the gate has granted, {Describe(approved)}";
        try
        {
            _ = await connection.CallAsync(
                "device.pair.remove", json => json.WriteString("deviceId"u8, approved.Device), static _ => true, deadline.Token);
        }
        catch (Exception e) when (e is BackendPairingException or OperationCanceledException)
        {
            throw new BackendPairingException($"{wider}, and the gate could not take it back ({e.Message})", e) { MustBeRemoved = true };
        }

        throw new BackendPairingException($"{wider}, and the gate has removed the device there") { IsTakenBack = true };
    }

    private static PendingPairing? DeviceIn(JsonElement payload, string requestId) =>
        PendingPairing.Text(payload, "requestId") == requestId && payload.TryGetProperty("device"u8, out JsonElement device)
            ? PendingPairing.Read(device)
            : null;

    private static string Describe(PendingPairing pending) =>
        $"{SafeText.Of(pending.Device)} as {SafeText.Of(string.Join(' ', pending.Roles))} with [{SafeText.Of(LogText.Of(pending.Scopes))}]";

    private async Task<PairingConnection> NeedConnectionAsync(BackendDestination destination, CancellationToken cancellationToken)
    {
        if (_connection is { IsOpen: true } open && _address == destination.Address)
            return open;
        await CloseAsync();
        if (_backoff > TimeSpan.Zero && time.GetElapsedTime(_failedAt) < _backoff)
            throw new BackendPairingException("the connection to it has failed just now");
        if (destination.Address.Scheme != Uri.UriSchemeWss && !destination.Address.IsLoopback)
            throw new BackendPairingException("its address is neither https nor loopback, so that others on the network could read its token");
        try
        {
            _address = destination.Address;
            _connection = await PairingConnection.OpenAsync(destination, ReadToken(), _device, cancellationToken);
            log.Connected(destination);
            return _connection;
        }
        catch
        {
            await FailAsync();
            throw;
        }
    }

    private string ReadToken()
    {
        if (options.TokenFile is not { } file)
            return options.Token!;
        string path = Path.GetFullPath(file, contentRoot);
        try
        {
            return TokenIn(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new BackendPairingException($"its token cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>The token in a file.</summary>
    /// <exception cref="InvalidDataException">The file holds none, or others may read it.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static string TokenIn(string path)
    {
        string token = (PrivateFile.Read(path) ?? throw new FileNotFoundException($"There is no file {path} with the token of an OpenClaw gateway.")).Trim();
        return OpenClawBackendReader.IsToken(token)
            ? token
            : throw new InvalidDataException($"{path} holds no token of an OpenClaw gateway; allowed: {OpenClawBackendReader.Tokens}.");
    }

    private async Task FailAsync()
    {
        _backoff = _backoff > TimeSpan.Zero ? TimeSpan.FromTicks(Math.Min(2 * _backoff.Ticks, LongestBackoff.Ticks)) : FirstBackoff;
        _failedAt = time.GetTimestamp();
        await CloseAsync();
    }

    private void KeepForAWhile()
    {
        _backoff = TimeSpan.Zero;
        _idle ??= time.CreateTimer(static h => _ = ((PairingHelper)h!).CloseIdleAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _idle.Change(IdleTimeout, Timeout.InfiniteTimeSpan);
    }

    private async Task CloseIdleAsync()
    {
        if (!await _turn.WaitAsync(TimeSpan.Zero))
            return; // it is being used
        try
        {
            await CloseAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task CloseAsync()
    {
        if (_idle is { } idle)
            await idle.DisposeAsync();
        _idle = null;
        if (_connection is { } connection)
            await connection.DisposeAsync();
        _connection = null;
    }
}
