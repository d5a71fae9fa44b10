namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>The names of outcomes in metrics and spans.</summary>
internal static class HandshakeOutcomeNames
{
    private static readonly string[] Names = [.. Enum.GetValues<HandshakeOutcome>().Select(outcome => Hyphenate(outcome.ToString()))];

    /// <summary>Every name, in the order of the outcomes.</summary>
    public static IReadOnlyList<string> All => Names;

    /// <summary>Its name, as in <c>pairing-required</c>.</summary>
    public static string ToName(this HandshakeOutcome outcome) => Names[(int)outcome];

    /// <summary>Whether it is the fault of the gateway, the registry or the backend, and not of the client.</summary>
    public static bool IsFault(this HandshakeOutcome outcome) =>
        outcome is HandshakeOutcome.Failed or HandshakeOutcome.RegistryUnavailable or HandshakeOutcome.BackendFailed;

    /// <summary>A name of C# in the form of names on the wire: <c>PairingRequired</c> becomes <c>pairing-required</c>.</summary>
    internal static string Hyphenate(string name) =>
        string.Concat(name.Select((c, i) => char.IsAsciiLetterUpper(c) ? (i == 0 ? "" : "-") + char.ToLowerInvariant(c) : c.ToString()));
}
