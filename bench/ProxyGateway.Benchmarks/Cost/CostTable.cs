using System.Globalization;
using System.Text;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>What was measured, as a table in Markdown.</summary>
internal sealed class CostTable(IReadOnlyList<Workload> rows, IReadOnlyList<PeerKind> columns)
{
    private readonly Dictionary<(Workload, PeerKind), List<Measurement>> _cells = [];

    public void Add(Workload row, PeerKind column, Measurement measurement)
    {
        if (!_cells.TryGetValue((row, column), out List<Measurement>? measurements))
            _cells[(row, column)] = measurements = [];
        measurements.Add(measurement);
    }

    public override string ToString()
    {
        PeerKind? gate = columns.FirstOrDefault(c => c.Name == PeerKind.Gate);
        PeerKind[] others = gate is null ? [] : [.. columns.Where(c => c != gate)];
        var text = new StringBuilder();
        text.AppendLine(Line(["", .. columns.Select(c => c.Title), .. others.Select(c => $"gate / {c.Title}")]));
        text.AppendLine(Line(["---", .. Enumerable.Repeat("---:", columns.Count + others.Length)]));
        foreach (Workload row in rows)
        {
            text.AppendLine(Line([row.Title, .. columns.Select(c => Describe(row, c)), .. others.Select(c => Ratio(row, gate!, c))]));
        }

        text.AppendLine();
        foreach ((Workload row, PeerKind column) in rows.SelectMany(row => columns.Select(column => (row, column))))
        {
            if (Median(row, column)?.Remark is { } remark)
                text.AppendLine(CultureInfo.InvariantCulture, $"- {column.Title}, {row.Name}: {remark}");
        }

        return text.ToString().TrimEnd();
    }

    private static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";

    private static string Format(double figure) => figure.ToString(figure < 100 ? "N1" : "N0", CultureInfo.InvariantCulture);

    // The median, and between what it lies.
    private string Describe(Workload row, PeerKind column) => Median(row, column) is { } median
        ? $"{Format(median.Figure)} ({Format(_cells[(row, column)].Min(m => m.Figure))}–{Format(_cells[(row, column)].Max(m => m.Figure))})"
        : "";

    private string Ratio(Workload row, PeerKind gate, PeerKind other) => (Median(row, gate), Median(row, other)) is ({ } own, { } theirs)
        ? (own.Figure / theirs.Figure).ToString("N2", CultureInfo.InvariantCulture)
        : "";

    private Measurement? Median(Workload row, PeerKind column) => _cells.TryGetValue((row, column), out List<Measurement>? measurements)
        ? measurements.OrderBy(m => m.Figure).ElementAt(measurements.Count / 2)
        : null;
}
