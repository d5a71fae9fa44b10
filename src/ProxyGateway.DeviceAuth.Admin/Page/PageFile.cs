namespace ProxyGateway.DeviceAuth.Admin.Page;

/// <summary>A file of the operators' page, embedded in this assembly.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ContentType">Its media type.</param>
/// <param name="Content">Its content.</param>
internal sealed record PageFile(string Name, string ContentType, byte[] Content)
{
    /// <summary>The file that a browser requests first.</summary>
    public const string Start = "index.html";

    private const string Prefix = "page/";

    /// <summary>All files.</summary>
    public static IReadOnlyList<PageFile> All { get; } =
    [
        .. typeof(PageFile).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => new PageFile(name[Prefix.Length..], TypeOf(name), Read(name))),
    ];

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        string other => throw new InvalidOperationException($"The page has no files of type '{other}'."),
    };

    private static byte[] Read(string name)
    {
        using Stream stream = typeof(PageFile).Assembly.GetManifestResourceStream(name)!;
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
