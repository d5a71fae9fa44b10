using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Reads the section <c>DeviceAuth:Backends</c>.</summary>
internal static class OpenClawBackendReader
{
    /// <summary>What a token may look like, for people.</summary>
    public const string Tokens = "1 to 4096 visible ASCII characters";

    private const string OpenClaw = "OpenClaw";

    /// <summary>Where the configuration has the options of a cluster.</summary>
    public static string PathOf(string cluster) => $"{DeviceAuthOptions.SectionName}:Backends:{cluster}:{OpenClaw}";

    /// <summary>The backends, by cluster.</summary>
    public static ImmutableDictionary<string, OpenClawBackendOptions> Read(SectionReader backends)
    {
        ImmutableDictionary<string, OpenClawBackendOptions> read = OpenClawBackendOptions.None;
        foreach ((string cluster, SectionReader section) in backends.Sections())
        {
            SectionReader openClaw = section.Section(OpenClaw);
            read = read.SetItem(cluster, new OpenClawBackendOptions
            {
                Token = openClaw.Value(nameof(OpenClawBackendOptions.Token)),
                TokenFile = openClaw.Value(nameof(OpenClawBackendOptions.TokenFile)),
            });
        }

        return read;
    }

    /// <summary>Whether the text may be a token.</summary>
    public static bool IsToken(string text) => text.Length is > 0 and <= 4096 && !text.AsSpan().ContainsAnyExceptInRange('!', '~');
}
