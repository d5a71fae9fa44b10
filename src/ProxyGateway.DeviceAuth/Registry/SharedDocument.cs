using System.Buffers;
using System.Security.Cryptography;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// A small document that the gateways of one registry share, besides those of devices: keys that all of them need. It always expires, and
/// its owner writes it again before that. So no copy of a registry needs it.
/// </summary>
public sealed class SharedDocument
{
    /// <summary>The most bytes that the content of a document may have.</summary>
    public const int MaxBytes = 4096;

    /// <summary>The most documents that a group may have. Those that have expired do not count.</summary>
    public const int MaxInGroup = 256;

    private static readonly SearchValues<char> GroupCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    private static readonly SearchValues<char> VersionCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

    /// <summary>A document with a new version.</summary>
    /// <param name="group">The documents that are listed together: 1 to 32 lower-case letters, digits and hyphens.</param>
    /// <param name="name">The name within the group: 1 to 64 letters, digits, underscores and hyphens.</param>
    /// <param name="content">The content, <see cref="MaxBytes"/> at most.</param>
    /// <param name="expiresAt">When the store forgets it, by the store's time.</param>
    /// <exception cref="ArgumentException">One of them is not as described.</exception>
    public SharedDocument(string group, string name, ReadOnlyMemory<byte> content, DateTimeOffset expiresAt)
        : this(group, name, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12)), content.ToArray(), expiresAt) // the caller may reuse its buffer
    {
        if (!Is(group, 32, GroupCharacters))
            throw new ArgumentException("The group has no valid name.", nameof(group));
        if (!Is(name, 64, NameCharacters))
            throw new ArgumentException("The document has no valid name.", nameof(name));
        if (content.Length > MaxBytes)
            throw new ArgumentException($"The document has more than {MaxBytes} bytes.", nameof(content));
    }

    private SharedDocument(string group, string name, string version, ReadOnlyMemory<byte> content, DateTimeOffset expiresAt) =>
        (Group, Name, Version, Content, ExpiresAt) = (group, name, version, content, expiresAt);

    /// <summary>The documents that are listed together.</summary>
    public string Group { get; }

    /// <summary>The name within the group.</summary>
    public string Name { get; }

    /// <summary>What a swap compares.</summary>
    public string Version { get; }

    /// <summary>The content.</summary>
    public ReadOnlyMemory<byte> Content { get; }

    /// <summary>When the store forgets it, by the store's time.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>A document that a store has read; null if it cannot be one.</summary>
    /// <param name="group">Its group.</param>
    /// <param name="name">Its name.</param>
    /// <param name="version">Its version.</param>
    /// <param name="content">Its content.</param>
    /// <param name="expiresAt">When the store forgets it.</param>
    public static SharedDocument? Read(string group, string name, string version, ReadOnlyMemory<byte> content, DateTimeOffset expiresAt)
    {
        var read = new SharedDocument(group, name, version, content, expiresAt);
        return read.IsValid() ? read : null;
    }

    private bool IsValid() => Is(Group, 32, GroupCharacters) && Is(Name, 64, NameCharacters) && Is(Version, 64, VersionCharacters) && Content.Length <= MaxBytes;

    private static bool Is(string text, int longest, SearchValues<char> characters) =>
        text.Length > 0 && text.Length <= longest && !text.AsSpan().ContainsAnyExcept(characters);
}
