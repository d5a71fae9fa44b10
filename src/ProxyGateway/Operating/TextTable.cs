using System.Globalization;
using System.Text;

namespace ProxyGateway.Operating;

/// <summary>A table for a terminal: columns as wide as their longest cell, or, where that is too much, the widest of them narrower and their cells wrapped.</summary>
internal sealed class TextTable
{
    private const int Gap = 2;
    private const int Narrow = 8;
    private const string Bold = "\e[1m";
    private const string Plain = "\e[0m";

    private readonly string[] _header;
    private readonly List<string[]> _rows = [];

    /// <param name="header">The names of the columns; a table without names has no line for them.</param>
    public TextTable(params ReadOnlySpan<string> header) => _header = header.ToArray();

    /// <summary>Adds a row.</summary>
    /// <param name="cells">One for each column.</param>
    public void Add(params ReadOnlySpan<string> cells) => _rows.Add(cells.ToArray());

    /// <summary>Writes the table.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="width">The terminal's, in cells. The first column is the last to be wrapped.</param>
    /// <param name="isBold">Whether the names of the columns are bold.</param>
    public void Write(TextWriter writer, int width, bool isBold)
    {
        int[] widths = Widths(width);
        if (Array.Exists(_header, name => name.Length > 0))
            WriteRow(writer, _header, widths, isBold);
        foreach (string[] row in _rows)
            WriteRow(writer, row, widths, isBold: false);
    }

    private static void WriteRow(TextWriter writer, string[] row, int[] widths, bool isBold)
    {
        var cells = new List<string>[row.Length];
        int height = 0;
        for (int column = 0; column < row.Length; column++)
        {
            cells[column] = Wrap(row[column], widths[column]);
            height = Math.Max(height, cells[column].Count);
        }

        var text = new StringBuilder();
        for (int line = 0; line < height; line++)
        {
            text.Clear();
            for (int column = 0; column < row.Length; column++)
            {
                string cell = line < cells[column].Count ? cells[column][line] : "";
                text.Append(isBold ? Bold : "").Append(cell).Append(isBold ? Plain : "").Append(' ', Math.Max(0, widths[column] - CellsOf(cell)) + Gap);
            }

            writer.WriteLine(text);
        }
    }

    private int[] Widths(int width)
    {
        int[] widths = new int[_header.Length];
        foreach (string[] row in _rows.Prepend(_header))
        {
            for (int column = 0; column < row.Length; column++)
                widths[column] = Math.Max(widths[column], CellsOf(row[column]));
        }

        int left = 0;
        foreach (int each in widths)
            left += each + Gap;
        for (; left > width; left--)
        {
            int widest = Widest(widths, from: 1);
            if (widest < 0 || widths[widest] <= Narrow)
                widest = Widest(widths, from: 0);
            if (widest < 0 || widths[widest] <= 1)
                break;
            widths[widest]--;
        }

        return widths;
    }

    private static int Widest(int[] widths, int from)
    {
        int widest = -1;
        for (int column = from; column < widths.Length; column++)
            widest = widest < 0 || widths[column] > widths[widest] ? column : widest;
        return widest;
    }

    private static List<string> Wrap(string cell, int width)
    {
        if (CellsOf(cell) <= width)
            return [cell];
        var lines = new List<string>();
        var line = new StringBuilder();
        int used = 0;
        foreach (string word in cell.Split(' '))
        {
            int length = CellsOf(word);
            if (used > 0 && used + 1 + length > width)
                End();
            if (used > 0)
            {
                line.Append(' ');
                used++;
            }

            foreach (Rune rune in word.EnumerateRunes())
            {
                if (used > 0 && used + CellsOf(rune) > width)
                    End();
                line.Append(rune);
                used += CellsOf(rune);
            }
        }

        End();
        return lines;

        void End()
        {
            lines.Add(line.ToString());
            line.Clear();
            used = 0;
        }
    }

    private static int CellsOf(string text)
    {
        int cells = 0;
        foreach (Rune rune in text.EnumerateRunes())
            cells += CellsOf(rune);
        return cells;
    }

    // What terminals show in two cells: East Asian letters and most of the pictures (Unicode's East Asian Width "W" and "F", in blocks).
    private static int CellsOf(Rune rune) => rune.Value switch
    {
        < 0x300 => 1,
        (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0x303E) or (>= 0x3041 and <= 0xA4CF) or (>= 0xA960 and <= 0xA97F) or (>= 0xAC00 and <= 0xD7A3)
            or (>= 0xF900 and <= 0xFAFF) or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF01 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6)
            or (>= 0x1F300 and <= 0x1F64F) or (>= 0x1F680 and <= 0x1F6FF) or (>= 0x1F900 and <= 0x1F9FF) or (>= 0x20000 and <= 0x3FFFD) => 2,
        _ => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark ? 0 : 1,
    };
}
