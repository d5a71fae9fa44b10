using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Files;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Connecting;

/// <summary>The device of this command line: an Ed25519 key in a file that only its owner may read.</summary>
internal sealed class DeviceIdentity
{
    private readonly Key _key;

    private DeviceIdentity(Key key)
    {
        _key = key;
        byte[] publicKey = key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        PublicKey = Base64Url.EncodeToString(publicKey);
        Id = DeviceId.Of(publicKey);
    }

    public DeviceId Id { get; }

    /// <summary>The raw public key as base64url.</summary>
    public string PublicKey { get; }

    /// <summary><c>$XDG_CONFIG_HOME/proxygateway/identity.json</c>; the folder is <c>~/.config</c> by default.</summary>
    public static string DefaultPath => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify), "proxygateway", "identity.json");

    /// <summary>The identity in the file, which is made if it does not exist.</summary>
    public static DeviceIdentity LoadOrCreate(string path)
    {
        try
        {
            DeviceAuth.Handshakes.Ed25519.EnsureSupported();
            if (!File.Exists(path))
                PrivateFile.TryCreate(path, New());
            return Parse(PrivateFile.Read(path), path);
        }
        catch (Exception e) when (e is InvalidDataException or PlatformNotSupportedException)
        {
            throw new CommandFailedException(ExitCodes.Refused, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"The identity file {path} cannot be read or made: {e.Message}");
        }
    }

    /// <summary>The Ed25519 signature of the text, as base64url.</summary>
    public string Sign(string text) => Base64Url.EncodeToString(SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes(text)));

    private static string New()
    {
        using Key key = Key.Create(SignatureAlgorithm.Ed25519, new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport });
        var identity = new DeviceIdentity(key);
        string seed = Base64Url.EncodeToString(key.Export(KeyBlobFormat.RawPrivateKey));
        var file = new IdentityFile(1, identity.Id.ToString(), identity.PublicKey, seed);
        return JsonSerializer.Serialize(file, IdentityJsonContext.Default.IdentityFile) + "\n";
    }

    private static DeviceIdentity Parse(string? content, string path)
    {
        try
        {
            if (JsonSerializer.Deserialize(content ?? "", IdentityJsonContext.Default.IdentityFile) is { Version: 1 } file)
            {
                var identity = new DeviceIdentity(
                    Key.Import(SignatureAlgorithm.Ed25519, Base64Url.DecodeFromChars(file.PrivateKey), KeyBlobFormat.RawPrivateKey));
                if (identity.PublicKey == file.PublicKey)
                    return identity;
            }
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            // One message for every kind of damage.
        }

        throw new InvalidDataException($"{path} is not a device's identity; delete it for a new one, or name another file with --identity");
    }
}

/// <summary>The file of a <see cref="DeviceIdentity"/>.</summary>
/// <param name="Version">1.</param>
/// <param name="DeviceId">The device's id, for people who read the file.</param>
/// <param name="PublicKey">The raw public key, base64url.</param>
/// <param name="PrivateKey">The raw private key (RFC 8032's seed), base64url.</param>
internal sealed record IdentityFile(int Version, string DeviceId, string PublicKey, string PrivateKey);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(IdentityFile))]
internal sealed partial class IdentityJsonContext : JsonSerializerContext;
