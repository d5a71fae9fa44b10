using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>A file with a secret that a header carries.</summary>
internal static class SecretFile
{
    /// <summary>How long a secret counts without being read again.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Reads it: its text without the line break at the end.</summary>
    /// <exception cref="InvalidDataException">
    /// There is none, it has no text or one that no header can carry, or others than its owner may read, write or replace it.
    /// </exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static string Read(string path)
    {
        string text = PrivateFile.Read(path) ?? throw new InvalidDataException($"{path} does not exist");
        text = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        if (string.IsNullOrWhiteSpace(text))
            throw new InvalidDataException($"{path} is empty");
        return text.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? throw new InvalidDataException($"{path} has a line break or another character that no header can carry")
            : text;
    }

    /// <summary>Whether this is a failure of <see cref="Read"/>.</summary>
    public static bool IsFailure(Exception e) => e is IOException or InvalidDataException or UnauthorizedAccessException;

    /// <summary>What follows a file. It is read off the callers' threads, which may be event loops.</summary>
    public static Renewed<T> Follow<T>(Func<T> read, TimeProvider time) => new(() => Task.Run(read), Interval, time);
}
