namespace ProxyGateway;

/// <summary>What the program's exit code means.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The gateway, or the operator's key, or the configuration said no.</summary>
    public const int Refused = 1;

    /// <summary>The command line is not understood.</summary>
    public const int Usage = 2;

    /// <summary>Nothing answers where the gateway should be.</summary>
    public const int Unreachable = 3;
}
