using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Copies a registry from one store to another, both out of use meanwhile.</summary>
/// <param name="source">Where the documents are. It is only read.</param>
/// <param name="target">Where they go.</param>
public sealed class RegistryCopy(ICopyableDeviceStore source, ICopyableDeviceStore target)
{
    private readonly HashSet<DeviceId> _copied = []; // a document may come more than once
    private RegistryCopyReport _report = new();

    /// <summary>
    /// Copies every document with its version and expiry. Nothing is deleted, and nothing replaced but by itself: the target has to be
    /// empty, or to hold a part of the source, as after a copy that was interrupted.
    /// </summary>
    /// <param name="cancellationToken">Gives up; the target may hold a part, and the copy may be repeated.</param>
    /// <exception cref="RegistryUnavailableException">One of the two failed; the target may hold a part, and the copy may be repeated.</exception>
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

    // Every no comes before the first yes: a gateway that is started on half a copy may ask too often, and never approves what was refused.
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
