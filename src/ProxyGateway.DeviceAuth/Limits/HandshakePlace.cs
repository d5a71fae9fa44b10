using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>A handshake's place in the budgets. It is freed exactly once, even if several callers end it.</summary>
/// <param name="budgets">The budgets.</param>
/// <param name="client">The client.</param>
/// <param name="familiarity">The keys of the client from which paired devices were admitted recently.</param>
/// <param name="tallies">The tallies that count it, one for each of the client's keys.</param>
/// <param name="destination">The tally of the destination.</param>
internal sealed class HandshakePlace(
    HandshakeBudgets budgets, Client client, Familiarity familiarity, ImmutableArray<HandshakeBudgets.Tally> tallies, HandshakeBudgets.Tally destination) : IDisposable
{
    private readonly CancellationTokenSource _givesWay = new();

    /// <summary>The client.</summary>
    public Client Client => client;

    /// <summary>Signals that the handshake is evicted for another: the place is already lost, and the handshake must end.</summary>
    public CancellationToken GivesWay => _givesWay.Token;

    internal Familiarity Familiarity => familiarity;

    internal ImmutableArray<HandshakeBudgets.Tally> Tallies => tallies;

    internal HandshakeBudgets.Tally Destination => destination;

    // Guarded by the budgets' lock.
    internal LinkedListNode<HandshakePlace>? GivesWayBy { get; set; }

    internal bool IsEvicted { get; set; }

    internal bool HasLeftDestination { get; set; }

    internal bool IsGivenBack { get; set; }

    /// <summary>The client has sent its connect: this handshake can no longer be evicted as silent.</summary>
    public void Speak() => budgets.Speak(this);

    /// <summary>The handshake has failed and only its refusal is delayed: it is evicted before any other.</summary>
    public void HoldBack() => budgets.HoldBack(this);

    /// <summary>The connection to the backend is closed; the client has not got its refusal yet.</summary>
    public void LeaveDestination() => budgets.LeaveDestination(this);

    /// <summary>Frees the place: the handshake is over.</summary>
    public void Dispose() => budgets.GiveBack(this);

    internal void GiveWay() => _givesWay.Cancel();
}
