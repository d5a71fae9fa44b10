using System.Globalization;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The whole numbers that a setting may have.</summary>
/// <param name="Min">The least.</param>
/// <param name="Max">The most.</param>
internal readonly record struct NumberRange(int Min, int Max)
{
    public bool Contains(int number) => number >= Min && number <= Max;

    /// <summary>For people.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"a whole number from {Min} to {Max}");
}
