using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The operators' valid keys.</summary>
public sealed class AdminKeyRing
{
    /// <summary>The name of the operator who uses the generated key.</summary>
    internal const string GeneratedName = "admin";

    private const int KeyBytes = 32;
    private const int MinKeyLength = 32;

    private readonly string _contentRoot;
    private volatile Func<AdminOptions> _options;
    private volatile Keys _keys;
    private string? _keyFile; // the file of the keys; null: they are from the configuration, or there are none

    private AdminKeyRing(AdminOptions options, string contentRoot)
    {
        _options = () => options;
        _contentRoot = contentRoot;
        (ImmutableArray<AdminKeyOptions> keys, CreatedFile) = Load(options);
        _keyFile = KeyFileOf(options);
        _keys = new Keys([.. keys.Select(k => new AdminKey(k))]);
    }

    /// <summary>The key file, if it was made when the keys were loaded.</summary>
    internal string? CreatedFile { get; }

    /// <summary>How often the keys were renewed.</summary>
    internal int Renewals { get; private set; }

    /// <summary>
    /// The configured keys; if none are configured, the one in the key file, which is made with a fresh key if it does not exist.
    /// </summary>
    /// <param name="options">The configuration.</param>
    /// <param name="contentRoot">The base of a relative key file.</param>
    /// <exception cref="InvalidDataException">The key file is invalid; the message says why.</exception>
    /// <exception cref="IOException">The key file cannot be read or made; the message says why.</exception>
    internal static AdminKeyRing Load(AdminOptions options, string contentRoot)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new AdminKeyRing(options, contentRoot);
    }

    /// <summary>From now on the keys follow reloads of the configuration.</summary>
    /// <param name="settings">The configuration.</param>
    internal void Follow(AdminListenerSettings settings) => _options = () => settings.Current;

    /// <summary>The key in a key file; null if there is no such file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The file is no valid key file; the message says why.</exception>
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

    /// <summary>The key that was presented, or null. The time that it takes does not show how close a wrong key is.</summary>
    internal AdminKey? Find(ReadOnlySpan<char> presented)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(presented.Length)];
        int length = Encoding.UTF8.GetBytes(presented, bytes);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes.AsSpan(0, length), hash);
        AdminKey? found = null;
        foreach (AdminKey key in _keys.All)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, key.Options.Sha256.AsSpan()))
                found = key;
        }

        return found;
    }

    /// <summary>The key that a client has proved to know; null if it is none of these.</summary>
    internal AdminKey? FindByProof(ReadOnlySpan<byte> proof, string address, string nonce)
    {
        AdminKey? found = null;
        foreach (AdminKey key in _keys.All)
        {
            if (CryptographicOperations.FixedTimeEquals(proof, KeyProof.OfClient(key.Options.Sha256.AsSpan(), address, nonce)))
                found = key;
        }

        return found;
    }

    /// <summary>
    /// Reads the configuration and the key file again. If the key file is used and invalid, there is no key; if no file handle is left to
    /// read it, the keys stay. Not thread-safe.
    /// </summary>
    internal KeyRenewal Renew()
    {
        ImmutableArray<AdminKeyOptions> wanted = [];
        string? created = null;
        Exception? unfit = null;
        try
        {
            AdminOptions options = _options();
            (wanted, created) = Load(options);
            _keyFile = KeyFileOf(options);
        }
        // this says nothing about the file, and passes
        catch (IOException e) when (FileHandleShortage.IsCauseOf(e) && _keyFile is not null && _keyFile == KeyFileOf(_options()))
        {
            return KeyRenewal.PutOff(e);
        }
        catch (Exception e) // after any error the previous key may no longer be intended
        {
            unfit = e;
            _keyFile = null;
        }

        Keys before = _keys;
        var after = new Keys([.. wanted.Select(k => before.All.FirstOrDefault(b => b.Is(k)) ?? new AdminKey(k))]);
        _keys = after;
        Renewals++;
        foreach (AdminKey withdrawn in before.All.Except(after.All))
            withdrawn.Dispose();
        return new KeyRenewal(
            Added: [.. after.Names.Except(before.Names)],
            Removed: [.. before.Names.Except(after.Names)],
            Changed: [.. after.All.Except(before.All).Select(k => k.Options.Name).Intersect(before.Names)],
            created,
            unfit);
    }

    private (ImmutableArray<AdminKeyOptions> Keys, string? CreatedFile) Load(AdminOptions options)
    {
        if (!options.Keys.IsDefaultOrEmpty)
            return (options.Keys, null);

        string path = KeyFileOf(options)!;
        try
        {
            return LoadFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The operators' key file {path} cannot be read or made: {e.Message}", e);
        }
    }

    private string? KeyFileOf(AdminOptions options) =>
        options.Keys.IsDefaultOrEmpty ? Path.GetFullPath(options.KeyFile, _contentRoot) : null;

    private static (ImmutableArray<AdminKeyOptions> Keys, string? CreatedFile) LoadFile(string path)
    {
        bool created = !File.Exists(path) && PrivateFile.TryCreate(path, Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes)));
        string key = ReadKeyFile(path) ?? throw new IOException("it was there a moment ago and is gone");
        var generated = new AdminKeyOptions
        {
            Name = GeneratedName,
            Sha256 = [.. SHA256.HashData(Encoding.UTF8.GetBytes(key))],
            Role = AdminRole.Approver,
        };
        return ([generated], created ? path : null);
    }

    private sealed record Keys(ImmutableArray<AdminKey> All)
    {
        public IEnumerable<string> Names => All.Select(k => k.Options.Name);
    }
}

/// <summary>The changes of the keys.</summary>
/// <param name="Added">Names that now have a key.</param>
/// <param name="Removed">Names that no longer have one.</param>
/// <param name="Changed">Names whose key, role or ceiling changed.</param>
/// <param name="CreatedFile">The key file, if it was made now.</param>
/// <param name="Unfit">Why the key file gives no key, if it should.</param>
internal sealed record KeyRenewal(
    ImmutableArray<string> Added, ImmutableArray<string> Removed, ImmutableArray<string> Changed, string? CreatedFile, Exception? Unfit)
{
    /// <summary>Why the key file could not be read this time, so that the previous keys stay.</summary>
    public Exception? Shortage { get; private init; }

    /// <summary>The previous keys stay.</summary>
    public static KeyRenewal PutOff(Exception shortage) => new([], [], [], CreatedFile: null, Unfit: null) { Shortage = shortage };

    public bool IsChange => !(Added.IsEmpty && Removed.IsEmpty && Changed.IsEmpty);
}
