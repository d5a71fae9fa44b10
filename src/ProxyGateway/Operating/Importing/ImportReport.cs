using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating.Importing;

/// <summary>What <c>devices import --json</c> prints.</summary>
/// <param name="DryRun">Whether this is only what would become of them.</param>
/// <param name="Outcomes">Outcome -> how many.</param>
/// <param name="Items">The rows, in the file's order.</param>
internal sealed record ImportReport(bool DryRun, IReadOnlyDictionary<string, int> Outcomes, IReadOnlyList<ImportReportItem> Items)
{
    public static ImportReport Of(bool dryRun, IReadOnlyList<ImportReportItem> items) =>
        new(dryRun, new SortedDictionary<string, int>(items.CountBy(i => i.Outcome).ToDictionary(), StringComparer.Ordinal), items);

    /// <summary>How many are not as the file says.</summary>
    public int Refused => Items.Count(i => !i.Taken);
}

/// <summary>What became of a row.</summary>
/// <param name="Row">Its place in the file, from 1.</param>
/// <param name="Id">The device, if that much is sound.</param>
/// <param name="Name">What the file calls it.</param>
/// <param name="Grants">Role -> what was asked for it; absent for rows that were skipped.</param>
/// <param name="Legacy">True if it has no role on record.</param>
/// <param name="Outcome"><c>skipped</c>, or the gateway's word.</param>
/// <param name="Detail">Why.</param>
/// <param name="Notes">What was left behind.</param>
internal sealed record ImportReportItem(
    int Row,
    DeviceId? Id,
    string? Name,
    IReadOnlyDictionary<string, ImportGrantBody>? Grants,
    bool? Legacy,
    string Outcome,
    string? Detail,
    IReadOnlyList<string>? Notes)
{
    internal bool Taken => Outcome is "added" or "extended" or "unchanged";

    public static ImportReportItem Of(ImportRow row, ImportItemView? item) => new(
        row.Row,
        row.Id,
        row.Name,
        row.Device?.Grants,
        row.Device is { Legacy: true } ? true : null,
        item?.Outcome ?? "skipped",
        item?.Detail ?? row.Problem,
        row.Notes.Count > 0 ? row.Notes : null);
}
