using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>A device's key in memory, and in a file that only its owner may read. Thread-safe.</summary>
public sealed class DeviceIdentity : IDeviceSigner, IDisposable
{
    private const int Ed25519Version = 1; // of the file: programs of older releases read these too
    private const int ES256Version = 2;
    private const int CoordinateSize = 32;

    private readonly Key? _ed25519;
    private readonly ECDsa? _p256;
    private readonly Lock _lock = new();

    private DeviceIdentity(Key key)
    {
        _ed25519 = key;
        PublicKey = key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        Id = DeviceFingerprint.IdOf(PublicKey.Span);
    }

    private DeviceIdentity(ECDsa key)
    {
        _p256 = key;
        ECPoint point = key.ExportParameters(includePrivateParameters: false).Q;
        PublicKey = (byte[])[4, .. point.X!, .. point.Y!];
        Id = DeviceFingerprint.IdOf(PublicKey.Span);
    }

    /// <summary><c>$XDG_CONFIG_HOME/proxygateway/identity.json</c>; the folder is <c>~/.config</c> by default.</summary>
    public static string DefaultPath => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify), "proxygateway", "identity.json");

    /// <inheritdoc/>
    public DeviceAlgorithm Algorithm => _p256 is null ? DeviceAlgorithm.Ed25519 : DeviceAlgorithm.ES256;

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>The device's id: the lower-case hexadecimal SHA-256 of its raw public key.</summary>
    public string Id { get; }

    /// <summary>A device with a new key.</summary>
    /// <param name="algorithm">The kind of key.</param>
    public static DeviceIdentity Create(DeviceAlgorithm algorithm = DeviceAlgorithm.Ed25519) => algorithm switch
    {
        DeviceAlgorithm.Ed25519 => FromSeed(RandomNumberGenerator.GetBytes(SignatureAlgorithm.Ed25519.PrivateKeySize)),
        DeviceAlgorithm.ES256 => new DeviceIdentity(ECDsa.Create(ECCurve.NamedCurves.nistP256)),
        _ => throw new ArgumentOutOfRangeException(nameof(algorithm)),
    };

    /// <summary>The device of an Ed25519 key.</summary>
    /// <param name="seed">The private key, 32 bytes (RFC 8032 §5.1.5).</param>
    /// <exception cref="FormatException">The key is invalid.</exception>
    public static DeviceIdentity FromSeed(ReadOnlySpan<byte> seed) => new(Key.Import(
        SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey, new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }));

    /// <summary>The device in a file, which is made if it does not exist. Any number of processes may do so at the same time: they get the same key.</summary>
    /// <param name="path">The file.</param>
    /// <param name="algorithm">The kind of a new key; one that is there stays what it is.</param>
    /// <exception cref="InvalidDataException">It is no device's, or others than this user and root can read, write or replace it.</exception>
    /// <exception cref="IOException">It cannot be read or made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read or made.</exception>
    public static DeviceIdentity LoadOrCreate(string path, DeviceAlgorithm algorithm = DeviceAlgorithm.Ed25519)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
        {
            using DeviceIdentity created = Create(algorithm);
            PrivateFile.TryCreate(path, created.Export());
        }

        return Load(path);
    }

    /// <summary>The device in a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">It is no device's, or others than this user and root can read, write or replace it.</exception>
    /// <exception cref="IOException">It cannot be read, or there is none.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static DeviceIdentity Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string content = PrivateFile.Read(path) ?? throw new FileNotFoundException($"There is no {path}", path);
        try
        {
            return Import(content);
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"{path} is not a device's identity; name another file, or move it away for a new one", e);
        }
    }

    /// <summary>The device in the content of a file.</summary>
    /// <param name="content">What <see cref="Export"/> returned.</param>
    /// <exception cref="FormatException">It is no device's, or its public key does not belong to its private key.</exception>
    public static DeviceIdentity Import(string content)
    {
        ArgumentNullException.ThrowIfNull(content);
        DeviceIdentity? identity = null;
        try
        {
            if (JsonSerializer.Deserialize(content, IdentityJsonContext.Default.IdentityFile) is { } file)
            {
                identity = (file.Version, file.Algorithm) switch
                {
                    (Ed25519Version, null) => FromSeed(Base64Url.DecodeFromChars(file.PrivateKey)),
                    (ES256Version, nameof(DeviceAlgorithm.ES256)) => FromScalar(Base64Url.DecodeFromChars(file.PrivateKey), Base64Url.DecodeFromChars(file.PublicKey)),
                    _ => null,
                };
                if (identity is not null && Base64Url.EncodeToString(identity.PublicKey.Span) == file.PublicKey)
                    return identity;
            }
        }
        catch (Exception e) when (e is JsonException or FormatException or CryptographicException)
        {
            // One message for every kind of damage.
        }

        identity?.Dispose();
        throw new FormatException("Not a device's identity.");
    }

    /// <summary>The content of the device's file. It has the private key.</summary>
    public string Export()
    {
        string publicKey = Base64Url.EncodeToString(PublicKey.Span);
        IdentityFile file = _ed25519 is not null
            ? new IdentityFile(Ed25519Version, Id, publicKey, Base64Url.EncodeToString(_ed25519.Export(KeyBlobFormat.RawPrivateKey)))
            : new IdentityFile(ES256Version, Id, publicKey, Base64Url.EncodeToString(ScalarOf(_p256!)), nameof(DeviceAlgorithm.ES256));
        return JsonSerializer.Serialize(file, IdentityJsonContext.Default.IdentityFile) + "\n";
    }

    /// <summary>Signs the data, see <see cref="IDeviceSigner.SignAsync"/>.</summary>
    /// <param name="data">What to sign, not hashed yet.</param>
    public byte[] Sign(ReadOnlySpan<byte> data)
    {
        if (_ed25519 is not null)
            return SignatureAlgorithm.Ed25519.Sign(_ed25519, data);
        lock (_lock)
        {
            return _p256!.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
    }

    /// <inheritdoc/>
    public ValueTask<byte[]> SignAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => new(Sign(data.Span));

    /// <summary>Deletes the key from memory.</summary>
    public void Dispose()
    {
        _ed25519?.Dispose();
        _p256?.Dispose();
    }

    private static DeviceIdentity FromScalar(byte[] scalar, byte[] point)
    {
        if (scalar.Length != CoordinateSize || point.Length != 1 + (2 * CoordinateSize))
            throw new FormatException();
        var parameters = new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            D = scalar,
            Q = new ECPoint { X = point[1..(1 + CoordinateSize)], Y = point[(1 + CoordinateSize)..] },
        };
        var key = ECDsa.Create(parameters);

        // Not every platform checks that both belong together; signatures that never hold would be a riddle.
        byte[] signature = key.SignData(point, HashAlgorithmName.SHA256);
        using var other = ECDsa.Create(parameters with { D = null });
        if (other.VerifyData(point, signature, HashAlgorithmName.SHA256))
            return new DeviceIdentity(key);
        key.Dispose();
        throw new FormatException();
    }

    // A number may begin with zeros, which not every platform writes.
    private static byte[] ScalarOf(ECDsa key)
    {
        byte[] scalar = key.ExportParameters(includePrivateParameters: true).D!;
        return scalar.Length == CoordinateSize ? scalar : [.. new byte[CoordinateSize - scalar.Length], .. scalar];
    }
}
