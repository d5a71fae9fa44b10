using System.Globalization;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>A folder for a program that reads its configuration from a file.</summary>
internal sealed class ConfigurationFolder : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-bench-");

    public string Path => _folder.FullName;

    /// <summary>Makes the file from the template of that name, and says where it is.</summary>
    public async Task<string> FillInAsync(string template, int port, int backend, int auth = 0)
    {
        string text = FillIn(await File.ReadAllTextAsync(System.IO.Path.Combine(AppContext.BaseDirectory, template)), Path, port, backend, auth);
        string file = System.IO.Path.Combine(Path, template);
        await File.WriteAllTextAsync(file, text);
        return file;
    }

    /// <summary>The template's text with a folder and with ports.</summary>
    public static string FillIn(string template, string folder, int port, int backend, int auth) => template
        .Replace("@FOLDER@", folder, StringComparison.Ordinal)
        .Replace("@PROCESSORS@", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("@AUTH@", auth.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("@PORT@", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("@BACKEND@", backend.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}
