using System.Buffers.Text;
using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Arbitrary values for tests.</summary>
internal static class Some
{
    public static Lifetimes Lifetimes { get; } = new(Request: TimeSpan.FromMinutes(5), Removed: TimeSpan.FromDays(90));

    public static Operator Operator { get; } = new("ops");

    /// <summary>Rules under which nothing is approved silently.</summary>
    public static PairingRules Rules { get; } = new(new PairingPolicy { AutoApprove = [] }, Lifetimes, PendingLimits.None);

    /// <summary>A remote origin.</summary>
    public static ClaimOrigin Origin { get; } = new(new Locality(IsLoopback: false), Address: null, () => PeerUser.Unknown);

    /// <summary>Loopback.</summary>
    public static ClaimOrigin Loopback { get; } = new(new Locality(IsLoopback: true), "127.0.0.1", () => PeerUser.Unknown);

    /// <summary>A claim of a new device.</summary>
    public static DeviceClaim Claim(string role = "operator", params string[] scopes)
    {
        byte[] key = RandomNumberGenerator.GetBytes(32);
        return new DeviceClaim(DeviceId.Of(key), Base64Url.EncodeToString(key), role, ScopeSet.Of(scopes), new ClientDescription("cli", "Some device"));
    }

    /// <summary>Another claim of the same device.</summary>
    public static DeviceClaim Asking(this DeviceClaim claim, string role, params string[] scopes) =>
        claim with { Role = role, Scopes = ScopeSet.Of(scopes) };

    /// <summary>The record of a device with one grant.</summary>
    public static DeviceRecord Paired(DeviceClaim claim, DateTimeOffset now) => new()
    {
        Id = claim.Device,
        PublicKey = claim.PublicKey,
        Version = Version(),
        CreatedAt = now,
        Client = claim.Client,
        Grants = System.Collections.Immutable.ImmutableSortedDictionary<GrantKey, Grant>.Empty
            .Add(claim.Key, new Grant { Scopes = claim.Scopes, ApprovedAt = now, ApprovedBy = Operator.Name }),
    };

    public static string Version() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
}
