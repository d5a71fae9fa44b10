namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>A handshake's place in the budgets. It is given back exactly once, whoever ends it and however often.</summary>
/// <param name="budgets">Where it was taken.</param>
/// <param name="client">Whose it is.</param>
/// <param name="destination">Where it leads.</param>
/// <param name="isFamiliar">Whether a paired device was admitted from there of late.</param>
internal sealed class HandshakePlace(HandshakeBudgets budgets, string client, string destination, bool isFamiliar) : IDisposable
{
    private readonly CancellationTokenSource _givesWay = new();

    /// <summary>Whose it is.</summary>
    public string Client => client;

    /// <summary>Signals that somebody else needs the place more: it is lost already, and the handshake is to end.</summary>
    public CancellationToken GivesWay => _givesWay.Token;

    internal string Destination => destination;

    internal bool IsFamiliar => isFamiliar;

    // Guarded by the budgets' lock.
    internal LinkedListNode<HandshakePlace>? Silence { get; set; }

    internal bool IsEvicted { get; set; }

    internal bool HasLeftDestination { get; set; }

    internal bool IsGivenBack { get; set; }

    /// <summary>The client has said what it has to say, so that it is not it who is waited for.</summary>
    public void Speak() => budgets.Speak(this);

    /// <summary>The connection to the backend is gone; the client still has to hear why.</summary>
    public void LeaveDestination() => budgets.LeaveDestination(this);

    /// <summary>The handshake is over.</summary>
    public void Dispose() => budgets.GiveBack(this);

    internal void GiveWay() => _givesWay.Cancel();
}
