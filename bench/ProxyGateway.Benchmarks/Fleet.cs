using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Benchmarks;

/// <summary>Devices by number, as real ones look: each is always the same, so none has to be kept.</summary>
internal static class Fleet
{
    private static readonly ScopeSet Scopes = ScopeSet.Of("operator.read", "operator.write");

    /// <summary>The claim of a device that its grant covers.</summary>
    public static DeviceClaim Claim(int number)
    {
        Span<byte> seed = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(seed, number);
        byte[] key = SHA256.HashData(seed);
        string name = string.Create(CultureInfo.InvariantCulture, $"Workstation {number}");
        return new DeviceClaim(DeviceId.Of(key), Base64Url.EncodeToString(key), "operator", Scopes, new ClientDescription("cli", name, "linux", "cli"));
    }

    /// <summary>The first devices, paired by an operator.</summary>
    public static async IAsyncEnumerable<StoredDocument> Paired(int count, DateTimeOffset now)
    {
        var grant = new Grant { Scopes = Scopes, ApprovedAt = now, ApprovedBy = "ops" };
        ImmutableSortedDictionary<GrantKey, Grant> grants = new DeviceRecord { Id = default, PublicKey = "", CreatedAt = now }.Grants.Add(new GrantKey(Audience.Default, "operator"), grant);
        for (int number = 0; number < count; number++)
        {
            DeviceClaim claim = Claim(number);
            yield return new StoredDocument(
                new DeviceRecord
                {
                    Id = claim.Device,
                    PublicKey = claim.PublicKey,
                    Version = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12)),
                    CreatedAt = now,
                    LastSeenAt = now,
                    Client = claim.Client,
                    Grants = grants,
                },
                ExpiresAt: null);
        }

        await Task.CompletedTask;
    }
}
