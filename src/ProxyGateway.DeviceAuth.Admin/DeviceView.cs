using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A device for operators: without its marks and requests.</summary>
internal sealed record DeviceView(
    DeviceId Id,
    string? PublicKey,
    ClientDescription Client,
    string? Label,
    bool? Legacy,
    Block? Block,
    ImmutableSortedDictionary<string, Grant> Grants,
    DateTimeOffset? CreatedAt,
    DateTimeOffset? LastSeenAt,
    string Version)
{
    /// <summary>
    /// The format of a document that this gateway does not know; then nothing else is known here of the device. Absent otherwise.
    /// </summary>
    public int? NewerFormat { get; init; }

    public static DeviceView Of(NewerDocument document) => new(
        document.Device,
        PublicKey: null,
        new ClientDescription(),
        Label: null,
        Legacy: null,
        Block: null,
        ImmutableSortedDictionary<string, Grant>.Empty,
        CreatedAt: null,
        LastSeenAt: null,
        document.Version)
    {
        NewerFormat = document.Format,
    };

    public static DeviceView Of(DeviceRecord record) => new(
        record.Id,
        record.PublicKey.Length == 0 ? null : record.PublicKey, // a device that was blocked before it connected has no known key
        record.Client,
        record.Label,
        record.Legacy ? true : null,
        record.Block,
        record.Grants,
        record.CreatedAt,
        record.LastSeenAt,
        record.Version);
}
