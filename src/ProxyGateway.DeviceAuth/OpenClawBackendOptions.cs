using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// How the gate reaches the pairing of an OpenClaw gateway behind it: section <c>DeviceAuth:Backends:&lt;cluster&gt;:OpenClaw</c>. One of the two is set.
/// </summary>
public sealed record OpenClawBackendOptions
{
    /// <summary>None, for any cluster.</summary>
    internal static readonly ImmutableDictionary<string, OpenClawBackendOptions> None =
        ImmutableDictionary.Create<string, OpenClawBackendOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>The shared token of the OpenClaw gateway: 1 to 4096 visible ASCII characters.</summary>
    public string? Token { get; init; }

    /// <summary>A file with that token, which only its owner can read. A relative path is relative to the content root.</summary>
    public string? TokenFile { get; init; }

    /// <summary>Without the token, so that no log has it.</summary>
    public override string ToString() => $"{nameof(OpenClawBackendOptions)} {{ {(TokenFile is null ? nameof(Token) : $"{nameof(TokenFile)} = {TokenFile}")} }}";
}
