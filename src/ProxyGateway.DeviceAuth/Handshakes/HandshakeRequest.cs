using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// A request in a handshake. What comes of it is a decision (<see cref="DecideAsync"/>), and then its forwarding (<see cref="ForwardAsync"/>) or an answer
/// that the handshake writes; or a refusal before any decision (<see cref="RefuseAsync"/>). Each happens once, even if several threads try.
/// </summary>
public sealed class HandshakeRequest
{
    private readonly Lock _lock = new();
    private readonly AdmissionDesk _desk;
    private readonly Func<HandshakeRequest, Task> _forward;
    private Admission? _admission;
    private DeviceSession? _session;
    private Task _running = Task.CompletedTask;
    private State _state;

    internal HandshakeRequest(
        HandshakeContext handshake, AdmissionDesk desk, IReadOnlyCollection<string> ownHeaders, bool isUpgrade, Func<HandshakeRequest, Task> forward)
    {
        (Handshake, _desk, OwnHeaders, IsUpgrade, _forward) = (handshake, desk, ownHeaders, isUpgrade, forward);
    }

    private enum State
    {
        Undecided,
        Decided,
        Forwarded,
        Over,
    }

    /// <summary>The request, with all headers of the client's.</summary>
    public HttpContext Http => Handshake.Http;

    /// <summary>The options that were in force when the request came. It is decided by those that are in force then.</summary>
    public DeviceAuthOptions Options => Handshake.Options;

    /// <summary>The client's address; null if it cannot be told.</summary>
    public string? Address => Handshake.Origin.Address;

    /// <summary>
    /// The audience of the route, in which the claim is decided, whatever <see cref="DeviceClaim.Audience"/> the handshake sets.
    /// </summary>
    public Audience Audience => Handshake.Audience;

    /// <summary>Whether it is a WebSocket upgrade, and not a plain request.</summary>
    public bool IsUpgrade { get; }

    internal HandshakeContext Handshake { get; }

    /// <summary>The authentication type of the device's identity in <see cref="HttpContext.User"/>; null: that of every handshake without one.</summary>
    internal string? AuthenticationType { get; set; }

    internal IReadOnlyCollection<string> OwnHeaders { get; }

    private bool IsUndecided
    {
        get
        {
            lock (_lock)
            {
                return _state == State.Undecided;
            }
        }
    }

    /// <summary>
    /// Has a claim decided: by the application's filters, the policy in force, the registry and the limits. It may take twice
    /// <see cref="DeviceAuthOptions.HandshakeTimeout"/>. An admitted device has a session from now on, which a removal or a narrowing ends.
    /// </summary>
    /// <param name="claim">What the device has proved. Nothing may be in it that was not verified, but for <see cref="DeviceClaim.Client"/>.</param>
    /// <param name="sharedToken">
    /// The token that the client has shown; null if it has shown none. It is compared with the configured one, where there is one.
    /// </param>
    /// <param name="once">
    /// What names the proof, if it could be sent again: of all requests with this name of this device, at any gateway of the registry, one at most is
    /// admitted. Null if the connection or another nonce of its own makes the proof one that cannot come again.
    /// </param>
    /// <returns>What became of it. For all but <see cref="Admission.Admitted"/> the handshake writes an answer.</returns>
    /// <exception cref="ArgumentException">The claim is none: the id is not that of the key, or the role is no role.</exception>
    /// <exception cref="InvalidOperationException">The request is decided or refused already.</exception>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public Task<Admission> DecideAsync(DeviceClaim claim, string? sharedToken = null, UseOnce? once = null)
    {
        ArgumentNullException.ThrowIfNull(claim);
        claim = AdmissionDesk.Check(claim);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Advance(State.Undecided, State.Decided, done.Task);
        Handshake.Place.Speak();
        return CompleteAsync(DecideOnceAsync(claim, sharedToken, once), done);
    }

    /// <summary>
    /// Notes that the client has proved nothing, and counts that against it: returns when it may be answered, which takes ever longer for a client that fails
    /// again and again.
    /// </summary>
    /// <param name="reason">What is wrong, for the log and the audit, in at most 123 bytes: in words of the handshake's, never the client's.</param>
    /// <exception cref="ArgumentException">The reason is blank or too long.</exception>
    /// <exception cref="InvalidOperationException">The request is decided or refused already.</exception>
    public Task RefuseAsync(string reason)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Advance(State.Undecided, State.Decided, done.Task);
        Handshake.Place.Speak();
        return CompleteAsync(RefuseOnceAsync(reason), done);
    }

    /// <summary>
    /// Forwards the request of an admitted device, and returns when it is over. When the session ends before that, a WebSocket gets a close frame, and any other
    /// request is aborted.
    /// </summary>
    /// <returns>False if the session has ended since the decision, or the client is gone: nothing was forwarded, and the handshake may answer.</returns>
    /// <exception cref="InvalidOperationException">The device was not admitted, or the request was forwarded already, or its handshake is over.</exception>
    public Task<bool> ForwardAsync()
    {
        if (_session is not { } session || _admission is not Admission.Admitted admitted)
            throw new InvalidOperationException("Only a request of an admitted device is forwarded.");
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Advance(State.Decided, State.Forwarded, done.Task);
        bool hasEnded = session.Closing is not null || Handshake.IsClientGone;
        if (hasEnded)
            Handshake.Trace?.Note(Handshake.IsClientGone ? HandshakeOutcome.ClientLeft : HandshakeOutcomes.Of(session.Closing!));
        return CompleteAsync(hasEnded ? Task.FromResult(false) : ForwardOnceAsync(session, admitted), done);
    }

    /// <summary>Why the session of the admitted device has ended; null while it has not.</summary>
    internal Closing? Closing => _session?.Closing;

    /// <summary>Notes that a claim was verified and is refused without a decision. It is no failure of its client's.</summary>
    internal void Decline(DeviceClaim claim, Closing closing)
    {
        Advance(State.Undecided, State.Decided, Task.CompletedTask);
        _desk.Decline(Handshake, claim, closing);
    }

    /// <summary>Lets the proxy connect before there is a decision. It gets nothing of the client but what the connection gives it.</summary>
    internal Task ForwardUndecidedAsync(IGatedConnection connection)
    {
        Advance(State.Undecided, State.Forwarded, Task.CompletedTask); // the caller waits for it
        GatedUpgrade.Install(Http, connection);
        return _forward(this);
    }

    /// <summary>Runs a handshake, and ends all that it has begun.</summary>
    internal async Task RunAsync(IDeviceHandshake handshake)
    {
        try
        {
            Task running = handshake.InvokeAsync(this);
            if (IsUndecided)
                await AbortIfUndecidedAsync(running);
            await running;
        }
        finally
        {
            await EndAsync();
        }
    }

    /// <summary>
    /// The handshake has returned: nothing can be forwarded any more. What it has begun and not waited for is waited for here: else there would be a
    /// session that no removal reaches.
    /// </summary>
    private async Task EndAsync()
    {
        Task begun;
        lock (_lock)
        {
            (_state, begun) = (State.Over, _running);
        }

        await begun;
        _session?.Dispose();
    }

    // Clients that send their proofs slowly, or never, would hold more requests than the budgets allow.
    private async Task AbortIfUndecidedAsync(Task running)
    {
        await running.WaitAsync(Options.HandshakeTimeout, _desk.Time, Handshake.Place.GivesWay).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!running.IsCompleted && IsUndecided)
        {
            Handshake.Trace?.Note(Handshake.Place.GivesWay.IsCancellationRequested ? HandshakeOutcome.GaveWay : HandshakeOutcome.TimedOut);
            Http.Abort();
        }
    }

    private static async Task<T> CompleteAsync<T>(Task<T> running, TaskCompletionSource done)
    {
        try
        {
            return await running;
        }
        finally
        {
            done.SetResult();
        }
    }

    private async Task<bool> RefuseOnceAsync(string reason)
    {
        await _desk.HoldBackAsync(Handshake, _desk.Refuse(Handshake, reason));
        return true;
    }

    private async Task<Admission> DecideOnceAsync(DeviceClaim claim, string? sharedToken, UseOnce? once)
    {
        (_admission, _session) = await _desk.DecideAsync(Handshake, claim, sharedToken, once, isPlain: !IsUpgrade);
        if (_admission is Admission.Unauthorized)
            await _desk.HoldBackAsync(Handshake, _desk.Fail(Handshake));
        return _admission;
    }

    private async Task<bool> ForwardOnceAsync(DeviceSession session, Admission.Admitted admitted)
    {
        if (AuthenticationType is null)
            DeviceFeature.Set(Http, session);
        else
            DeviceFeature.Set(Http, session, AuthenticationType);
        _desk.Opened(Handshake, session, wasPaired: admitted.Rule is null);
        try
        {
            await RelayAsync(session);
        }
        finally
        {
            _desk.Ended(Handshake, session);
        }

        return true;
    }

    private async Task RelayAsync(Session session)
    {
        if (IsUpgrade)
        {
            await using var connection = new AdmittedConnection(Http, session, _desk.Time);
            GatedUpgrade.Install(Http, connection);
            await _forward(this);
            return;
        }

        using CancellationTokenRegistration onClosing = session.ClosingToken.UnsafeRegister(static http => ((HttpContext)http!).Abort(), Http);
        await _forward(this);
    }

    // What begins is entered before it does anything, so that EndAsync either refuses it or waits for it.
    private void Advance(State from, State to, Task running)
    {
        lock (_lock)
        {
            if (_state != from)
                throw new InvalidOperationException($"The request is {_state switch { State.Undecided => "not decided", State.Over => "over", _ => "decided or forwarded already" }}.");
            (_state, _running) = (to, running);
        }
    }
}
