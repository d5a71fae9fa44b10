using System.Globalization;
using System.Net;
using System.Text;

namespace ProxyGateway.IntegrationTests.Exporting;

/// <summary>A trace as a picture: a bar for each span, one below the other, as long as it took.</summary>
internal static class TraceImage
{
    private const int Left = 190;
    private const int Width = 560;
    private const int Row = 26;

    /// <summary>The picture, as SVG.</summary>
    /// <param name="spans">The spans, of one trace.</param>
    /// <param name="from">When the picture begins, in nanoseconds.</param>
    /// <param name="to">When it ends; longer spans are cut.</param>
    public static string Of(IReadOnlyList<Span> spans, ulong from, ulong to)
    {
        var svg = new StringBuilder();
        int height = 50 + (spans.Count * Row);
        svg.AppendLine(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {height}\" width=\"900\" font-family=\"sans-serif\" font-size=\"13\">");
        svg.AppendLine(CultureInfo.InvariantCulture, $"<rect width=\"900\" height=\"{height}\" fill=\"#ffffff\"/>");
        svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"20\" fill=\"#555\">0 ms</text><text x=\"{Left + Width}\" y=\"20\" text-anchor=\"end\" fill=\"#555\">{(to - from) / 1e6:N1} ms</text>");
        int y = 34;
        foreach (Span span in Ordered(spans))
        {
            double start = Left + (Width * Math.Max(0, (double)(span.Start - from) / (to - from)));
            double end = Left + (Width * Math.Min(1, (double)(span.End - from) / (to - from)));
            int depth = DepthOf(span, spans);
            string color = span.Scope == "ProxyGateway.DeviceAuth" ? "#2f6fb3" : "#a9a9a9";
            svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{8 + (depth * 14)}\" y=\"{y + 14}\" fill=\"#222\">{WebUtility.HtmlEncode(span.Name)}</text>");
            svg.AppendLine(CultureInfo.InvariantCulture, $"<rect x=\"{start:F1}\" y=\"{y + 3}\" width=\"{Math.Max(2, end - start):F1}\" height=\"15\" rx=\"2\" fill=\"{color}\"/>");
            string took = span.End > to ? "goes on" : ((span.End - span.Start) / 1e6).ToString("N2", CultureInfo.InvariantCulture) + " ms";
            svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{Left + Width + 10}\" y=\"{y + 14}\" fill=\"#555\">{took}</text>");
            y += Row;
        }

        return svg.AppendLine("</svg>").ToString();
    }

    private static IEnumerable<Span> Ordered(IReadOnlyList<Span> spans)
    {
        IEnumerable<Span> roots = spans.Where(s => spans.All(o => o.Id != s.Parent));
        return roots.OrderBy(s => s.Start).SelectMany(WithChildren);

        IEnumerable<Span> WithChildren(Span span) => spans.Where(s => s.Parent == span.Id).OrderBy(s => s.Start).SelectMany(WithChildren).Prepend(span);
    }

    private static int DepthOf(Span span, IReadOnlyList<Span> spans) => spans.FirstOrDefault(s => s.Id == span.Parent) is { } parent ? 1 + DepthOf(parent, spans) : 0;
}
