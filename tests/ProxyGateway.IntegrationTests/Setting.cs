using System.Globalization;

namespace ProxyGateway.IntegrationTests;

/// <summary>What the environment says of tests that may run for longer, or again as they were.</summary>
internal static class Setting
{
    /// <summary>A whole number; null if the variable is not set.</summary>
    public static int? Number(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
