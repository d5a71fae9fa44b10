using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Copies a registry from one store to another, while no gateway uses either.</summary>
/// <param name="source">The store to read. It is not changed.</param>
/// <param name="target">The store to write.</param>
public sealed class RegistryCopy(ICopyableDeviceStore source, ICopyableDeviceStore target)
{
    private readonly HashSet<DeviceId> _copied = []; // a document may come more than once
    private RegistryCopyReport _report = new();

    /// <summary>
    /// Copies every document with its version and expiry. Nothing is deleted, and a document is replaced only by itself: the target must be
    /// empty, or hold a part of the source, as after an interrupted copy.
    /// </summary>
    /// <param name="cancellationToken">Cancels the copy; the target may hold a part, and the copy may be repeated.</param>
    /// <exception cref="RegistryUnavailableException">One of the two failed; the target may hold a part, and the copy may be
    /// repeated.</exception>
    public async Task<RegistryCopyReport> RunAsync(CancellationToken cancellationToken)
    {
        await foreach (StoredDocument found in target.ReadAllAsync(cancellationToken))
        {
            if ((await source.GetAsync(found.Record.Id, cancellationToken)).Record?.Version != found.Record.Version)
                return new RegistryCopyReport { Obstacle = found.Record.Id };
        }

        await target.WriteAllAsync(CountAsync(cancellationToken), cancellationToken);
        return _report;
    }

    // Refusals come first: a gateway that is started on half a copy makes some devices ask again, but never approves what an operator
    // refused.
    private IAsyncEnumerable<StoredDocument> Documents(CancellationToken cancellationToken) => source.ReadAllAsync(cancellationToken)
        .Where(d => d.Record.Refusals is not null)
        .Concat(source.ReadAllAsync(cancellationToken));

    private async IAsyncEnumerable<StoredDocument> CountAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (StoredDocument document in Documents(cancellationToken))
        {
            DeviceRecord record = document.Record;
            if (_copied.Add(record.Id))
            {
                _report = new RegistryCopyReport
                {
                    Devices = _report.Devices + 1,
                    Paired = _report.Paired + (record.IsPaired ? 1 : 0),
                    Refused = _report.Refused + (record.Refusals is null ? 0 : 1),
                    Requests = _report.Requests + record.Requests.Count(r => r.Status == PairingRequestStatus.Open),
                };
            }

            yield return document;
        }
    }
}
