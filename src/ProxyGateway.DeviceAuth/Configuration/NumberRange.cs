using System.Globalization;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The range of whole numbers of a setting.</summary>
/// <param name="Min">The minimum.</param>
/// <param name="Max">The maximum.</param>
public readonly record struct NumberRange(int Min, int Max)
{
    /// <summary>Whether the range contains the number.</summary>
    public bool Contains(int number) => number >= Min && number <= Max;

    /// <summary>For people.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"a whole number from {Min} to {Max}");
}
