using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// A connection of a client without a device, which the rule for such clients covers for as long as it is admitted. Nothing of it is in the registry, so
/// only a reload or an operator ends it.
/// </summary>
internal sealed class DevicelessSession : Session
{
    private readonly SessionTable _table;
    private readonly DevicelessAsk _ask;
    private readonly Lock _lock = new();
    private DeviceAuthOptions? _admittedBy;

    /// <param name="table">Where it is entered.</param>
    /// <param name="number">Its number.</param>
    /// <param name="user">The operating-system user at the other end of the socket, as the kernel said.</param>
    /// <param name="ask">What the client asks for.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="time">The clock.</param>
    public DevicelessSession(SessionTable table, long number, uint user, DevicelessAsk ask, ClaimOrigin origin, TimeProvider time)
        : base(number, origin, time)
    {
        _table = table;
        _ask = ask;
        Owner = user;
    }

    public uint Owner { get; }

    public override DeviceId? Device => null;

    public override uint? User => Owner;

    public override Audience Audience => _ask.Audience;

    public override string Role => _ask.Role;

    public override ScopeSet Scopes => _ask.Scopes;

    public override ClientDescription Client => _ask.Client;

    protected override bool IsAdmitted
    {
        get
        {
            lock (_lock)
            {
                return _admittedBy is not null;
            }
        }
    }

    /// <summary>Admits the session; to be called once it is entered. False if a reload in between has taken away what covered it.</summary>
    /// <param name="decidedBy">The options by which the rule covered it, and whose shared token the client showed.</param>
    /// <param name="settings">The options in force.</param>
    public bool TryAdmit(DeviceAuthOptions decidedBy, IDeviceAuthSettings settings)
    {
        lock (_lock)
        {
            _admittedBy = decidedBy;
        }

        Recheck(settings.Current); // read after that: a reload either is seen here, or finds the session admitted
        return Closing is null;
    }

    /// <summary>The options have changed. Closes the session if they would not admit it as it is.</summary>
    public void Recheck(DeviceAuthOptions options)
    {
        lock (_lock)
        {
            // One that is still being decided is compared once it is.
            if (_admittedBy is not { } admittedBy || (Covers(options) && HasTheSameTrust(admittedBy, options)))
                return;
        }

        Close(Closing.IdentityRequired);
    }

    protected override void Leave() => _table.Leave(this);

    private bool Covers(DeviceAuthOptions options)
    {
        Locality locality = Origin.Locality with { Peer = PeerUser.Known(Owner) };
        return options.Policy.Deviceless?.Object(_ask, locality, options.Policy.Implications) == DevicelessObjection.None;
    }

    // A client is not asked for the token again, so a new token ends those who have shown the old one. A new proxy may be who it is, and a
    // header that is no longer named may be one that it has sent.
    private static bool HasTheSameTrust(DeviceAuthOptions before, DeviceAuthOptions now) =>
        before.SharedTokenSha256.AsSpan().SequenceEqual(now.SharedTokenSha256.AsSpan())
        && before.TrustedProxies.SequenceEqual(now.TrustedProxies)
        && before.RequestHeaders.All(name => now.RequestHeaders.Contains(name, StringComparer.OrdinalIgnoreCase));
}
