using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating.Importing;

/// <summary>The output of <c>devices import --json</c>.</summary>
/// <param name="DryRun">Whether nothing was changed.</param>
/// <param name="Outcomes">Outcome -> number of rows.</param>
/// <param name="Items">The rows, in the file's order.</param>
internal sealed record ImportReport(bool DryRun, IReadOnlyDictionary<string, int> Outcomes, IReadOnlyList<ImportReportItem> Items)
{
    public static ImportReport Of(bool dryRun, IReadOnlyList<ImportReportItem> items) =>
        new(dryRun, new SortedDictionary<string, int>(items.CountBy(i => i.Outcome).ToDictionary(), StringComparer.Ordinal), items);

    /// <summary>How many rows were not imported.</summary>
    public int Refused => Items.Count(i => !i.Taken);
}

/// <summary>The result of a row.</summary>
/// <param name="Row">Its place in the file, from 1.</param>
/// <param name="Id">The device, if the row has a valid id.</param>
/// <param name="Name">Its name in the file.</param>
/// <param name="Grants">Role, or audience/role -> the grant in the file; absent for rows that were skipped.</param>
/// <param name="Legacy">True if it has no recorded role.</param>
/// <param name="Outcome"><c>skipped</c>, or the gateway's outcome.</param>
/// <param name="Detail">The reason.</param>
/// <param name="Notes">The parts that were left out.</param>
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
