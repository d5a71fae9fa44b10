using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Operating;

/// <summary>
/// The <c>appsettings.json</c> in the current folder, and whether an operator may trust it. Commands run in any folder, and an attacker who
/// has written the file there could otherwise have the operator's key sent to their server.
/// </summary>
internal sealed class FolderSettings
{
    private const int MaxBytes = 1024 * 1024;

    private FolderSettings(string folder, bool hasFiles, IConfiguration files, string? whyNotTrusted)
    {
        Folder = folder;
        HasFiles = hasFiles;
        Files = files;
        WhyNotTrusted = whyNotTrusted;
    }

    public string Folder { get; }

    public bool HasFiles { get; }

    /// <summary>The content of the files, without other layers.</summary>
    public IConfiguration Files { get; }

    /// <summary>
    /// Which file or folder users other than this one and root can write to, and what to do about it; null if there is none.
    /// </summary>
    public string? WhyNotTrusted { get; }

    /// <exception cref="CommandFailedException">A file cannot be read.</exception>
    public static FolderSettings Read()
    {
        string folder = Directory.GetCurrentDirectory();
        string? whyNot = WhyNotFolder(folder);
        string environment = AdminSettings.Variable("ASPNETCORE_ENVIRONMENT") ?? AdminSettings.Variable("DOTNET_ENVIRONMENT") ?? Environments.Production;
        var builder = new ConfigurationBuilder();
        foreach (string name in new[] { "appsettings.json", $"appsettings.{environment}.json" })
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path))
                continue;
            (MemoryStream content, string? why) = ReadFile(path);
            builder.AddJsonStream(content);
            whyNot ??= why;
        }

        try
        {
            return new FolderSettings(folder, builder.Sources.Count > 0, builder.Build(), whyNot);
        }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"An appsettings file in {folder} cannot be read. {e.Message} {e.GetBaseException().Message}");
        }
    }

    // A folder that this user may not read (another user's home after sudo) is not trusted.
    private static string? WhyNotFolder(string folder)
    {
        try
        {
            return FileTrust.WhyNotFolder(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"The folder {folder} cannot be looked at: {e.Message}";
        }
    }

    // Reads the same open file whose owner was checked.
    private static (MemoryStream Content, string? WhyNotTrusted) ReadFile(string path)
    {
        try
        {
            if (!FileStatus.Of(path).IsRegularFile)
                throw new IOException($"{path} is no regular file"); // opening it could block
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length > MaxBytes)
                throw new IOException($"{path} is longer than {MaxBytes} bytes");
            var content = new MemoryStream();
            file.CopyTo(content);
            content.Position = 0;
            string? whyNot = FileTrust.WhyNotSettled(FileStatus.Of(file.SafeFileHandle), path);
            if (File.ResolveLinkTarget(path, returnFinalTarget: true) is { } target)
                whyNot ??= FileTrust.WhyNotFolder(Path.GetDirectoryName(target.FullName)!);
            return (content, whyNot);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"{path} cannot be read: {e.Message}");
        }
    }
}
