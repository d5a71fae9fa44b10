using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A device for operators: without its marks and requests.</summary>
/// <param name="Id">The device's id: the SHA-256 of its public key.</param>
/// <param name="PublicKey">The raw public key as base64url; absent if it is unknown.</param>
/// <param name="Client">The device's description of itself: never verified.</param>
/// <param name="Label">The operators' label; absent if there is none.</param>
/// <param name="Legacy">True if it was paired without any recorded role; absent otherwise.</param>
/// <param name="Block">The block with its operator and reason; absent if there is none.</param>
/// <param name="Grants">Role -> its grant; in any audience but <c>default</c>, <c>audience/role</c> -> its grant.</param>
/// <param name="CreatedAt">When its record was made; absent if its document cannot be read.</param>
/// <param name="LastSeenAt">When it was last connected, to the minute; absent if it never was.</param>
/// <param name="Version">The version of its document, for <c>If-Match</c>.</param>
public sealed record DeviceView(
    DeviceId Id,
    string? PublicKey,
    ClientDescription Client,
    string? Label,
    bool? Legacy,
    Block? Block,
    ImmutableSortedDictionary<GrantKey, Grant> Grants,
    DateTimeOffset? CreatedAt,
    DateTimeOffset? LastSeenAt,
    string Version)
{
    /// <summary>
    /// The format of a document that this gateway does not know; then nothing else is known here of the device. Absent otherwise.
    /// </summary>
    public int? NewerFormat { get; init; }

    /// <summary>The algorithm of its proofs, <c>Ed25519</c> or <c>ES256</c>; absent if its key is unknown.</summary>
    public string? Algorithm { get; init; }

    /// <summary>The thumbprint of its key (RFC 7638), as other systems know it; absent if its key is unknown.</summary>
    public string? Jkt { get; init; }

    internal static DeviceView Of(NewerDocument document) => new(
        document.Device,
        PublicKey: null,
        new ClientDescription(),
        Label: null,
        Legacy: null,
        Block: null,
        ImmutableSortedDictionary<GrantKey, Grant>.Empty,
        CreatedAt: null,
        LastSeenAt: null,
        document.Version)
    {
        NewerFormat = document.Format,
    };

    internal static DeviceView Of(DeviceRecord record) => new(
        record.Id,
        record.PublicKey.Length == 0 ? null : record.PublicKey, // a device that was blocked before it connected has no known key
        record.Client,
        record.Label,
        record.Legacy ? true : null,
        record.Block,
        record.Grants,
        record.CreatedAt,
        record.LastSeenAt,
        record.Version)
    {
        Algorithm = DeviceKey.AlgorithmOf(record.PublicKey),
        Jkt = DeviceKey.ThumbprintOf(record.PublicKey),
    };
}
