using System.Security.Cryptography;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The name by which a proof is recognised when it comes again, so that it is used once. The registry marks it by device and name in the step that reads the
/// device's record, or that writes a rule's approval or a new request. A device of which nothing is on record, and for whose request there is no room, gets no
/// mark: coming again it only asks again.
/// </summary>
public sealed class UseOnce
{
    /// <summary>The most characters of a name.</summary>
    public const int MaxLength = 128;

    /// <summary>How many marks a device has at a time at most (in Redis twice as many), if something is approved for it or it is blocked.</summary>
    public const int MostOfKnownDevice = 1 << 18;

    /// <summary>How many marks any other device with a record has at a time at most: one that has only asked, or was removed.</summary>
    public const int MostOfOtherDevice = 64;

    /// <summary>The longest time for which a name can be remembered.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private const int FirstVisible = '!';
    private const int LastVisible = '~';

    /// <summary>A name and its time.</summary>
    /// <param name="name">1 to 128 visible ASCII characters. The device may choose them: the devices' names are apart.</param>
    /// <param name="period">For how long the name is remembered: for longer than any gateway accepts the proof. An hour at most.</param>
    /// <exception cref="ArgumentException">The name is none, or the time is not positive or too long.</exception>
    public UseOnce(string name, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > MaxLength || name.Any(c => c is < (char)FirstVisible or > (char)LastVisible))
            throw new ArgumentException($"A name has 1 to {MaxLength} visible ASCII characters.", nameof(name));
        if (period <= TimeSpan.Zero || period > Longest)
            throw new ArgumentException($"A name is remembered for up to {Longest}.", nameof(period));
        (Name, Period) = (name, period);
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>For how long it is remembered.</summary>
    public TimeSpan Period { get; }

    /// <summary>The mark of this device and this name, of one size for names of any length: the first 16 bytes of their SHA-256, in hexadecimal.</summary>
    /// <param name="device">The device.</param>
    public string MarkOf(DeviceId device)
    {
        Span<byte> text = stackalloc byte[DeviceId.Length + MaxLength];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        int length = Encoding.ASCII.GetBytes(device.ToString(), text); // of one length, so that no two pairs are one text
        length += Encoding.ASCII.GetBytes(Name, text[length..]);
        SHA256.HashData(text[..length], hash);
        return Convert.ToHexStringLower(hash[..16]);
    }
}
