namespace ProxyGateway;

/// <summary>The program's exit codes.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The gateway refused, the operator's key is invalid, or the configuration is.</summary>
    public const int Refused = 1;

    /// <summary>The command line is invalid.</summary>
    public const int Usage = 2;

    /// <summary>Nothing answers at the gateway's address.</summary>
    public const int Unreachable = 3;
}
