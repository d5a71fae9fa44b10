using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>A handshake's place in the budgets. It is given back exactly once, whoever ends it and however often.</summary>
/// <param name="budgets">Where it was taken.</param>
/// <param name="client">Whose it is.</param>
/// <param name="familiarity">From which of its keys paired devices were admitted of late.</param>
/// <param name="tallies">What it is counted in, one for each of the client's keys.</param>
/// <param name="destination">Where it leads.</param>
internal sealed class HandshakePlace(
    HandshakeBudgets budgets, Client client, Familiarity familiarity, ImmutableArray<HandshakeBudgets.Tally> tallies, HandshakeBudgets.Tally destination) : IDisposable
{
    private readonly CancellationTokenSource _givesWay = new();

    /// <summary>Whose it is.</summary>
    public Client Client => client;

    /// <summary>Signals that somebody else needs the place more: it is lost already, and the handshake is to end.</summary>
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

    /// <summary>The handshake has failed, and only waits to say so: it is evicted before any other.</summary>
    public void HoldBack() => budgets.HoldBack(this);

    /// <summary>The connection to the backend is gone; the client still has to hear why.</summary>
    public void LeaveDestination() => budgets.LeaveDestination(this);

    /// <summary>The handshake is over.</summary>
    public void Dispose() => budgets.GiveBack(this);

    internal void GiveWay() => _givesWay.Cancel();
}
