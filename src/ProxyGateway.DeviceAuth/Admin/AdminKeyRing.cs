using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The keys by which operators are known.</summary>
public sealed class AdminKeyRing
{
    /// <summary>The name of the operator who uses the generated key.</summary>
    public const string GeneratedName = "admin";

    private const int KeyBytes = 32;
    private const int MinKeyLength = 32;

    private readonly ImmutableArray<AdminKeyOptions> _keys;

    private AdminKeyRing(ImmutableArray<AdminKeyOptions> keys, string? createdFile)
    {
        _keys = keys;
        CreatedFile = createdFile;
    }

    /// <summary>The key file, if it was made just now.</summary>
    public string? CreatedFile { get; }

    /// <summary>
    /// The configured keys; with none configured the one in the key file, which is made with a fresh key if it does not exist.
    /// </summary>
    /// <param name="options">The configuration.</param>
    /// <param name="contentRoot">What a relative key file is relative to.</param>
    /// <exception cref="InvalidDataException">The key file is not fit to be one; the message says why.</exception>
    /// <exception cref="IOException">The key file cannot be read or made; the message says why.</exception>
    public static AdminKeyRing Load(AdminOptions options, string contentRoot)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!options.Keys.IsDefaultOrEmpty)
            return new AdminKeyRing(options.Keys, createdFile: null);

        string path = Path.GetFullPath(options.KeyFile, contentRoot);
        try
        {
            return LoadFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The operators' key file {path} cannot be read or made: {e.Message}", e);
        }
    }

    /// <summary>The key in a key file; null if there is no such file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The file is not fit to be a key file; the message says why.</exception>
    public static string? ReadKeyFile(string path)
    {
        if (PrivateFile.Read(path)?.Trim() is not { } key)
            return null;
        if (key.Length < MinKeyLength)
            throw new InvalidDataException($"{path} holds no key of at least {MinKeyLength} characters; delete it, and the gateway makes a new one");
        if (key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw new InvalidDataException($"{path} holds more than a key; delete it, and the gateway makes a new one");
        return key;
    }

    /// <summary>The key that was presented, or null. How long it takes says nothing about how close a wrong one came.</summary>
    internal AdminKeyOptions? Find(ReadOnlySpan<char> presented)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(presented.Length)];
        int length = Encoding.UTF8.GetBytes(presented, bytes);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes.AsSpan(0, length), hash);
        AdminKeyOptions? found = null;
        foreach (AdminKeyOptions key in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, key.Sha256.AsSpan()))
                found = key;
        }

        return found;
    }

    private static AdminKeyRing LoadFile(string path)
    {
        string fresh = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes));
        bool created = !File.Exists(path) && PrivateFile.TryCreate(path, fresh);
        string key = ReadKeyFile(path) ?? throw new IOException("it was there a moment ago and is gone");
        var generated = new AdminKeyOptions
        {
            Name = GeneratedName,
            Sha256 = [.. SHA256.HashData(Encoding.UTF8.GetBytes(key))],
            Role = AdminRole.Approver,
        };
        return new AdminKeyRing([generated], created ? path : null);
    }
}
