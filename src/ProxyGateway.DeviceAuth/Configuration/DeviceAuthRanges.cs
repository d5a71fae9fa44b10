namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The allowed ranges of <see cref="DeviceAuthOptions"/>, for configuration and code alike.</summary>
internal static class DeviceAuthRanges
{
    /// <summary>For all counts, in <see cref="DeviceAuthLimits"/> and elsewhere.</summary>
    public static readonly NumberRange Count = new(1, 1_000_000);

    public static readonly NumberRange MaxHandshakeBytes = new(1024, 16 * 1024 * 1024);
    public static readonly SpanRange HandshakeTimeout = SpanRange.UpTo(TimeSpan.FromMinutes(10));
    public static readonly SpanRange SignatureSkew = SpanRange.UpTo(TimeSpan.FromHours(1));
    public static readonly SpanRange DrainTime = SpanRange.OrOff(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
    public static readonly SpanRange RequestLifetime = SpanRange.UpTo(TimeSpan.FromDays(7));
    public static readonly SpanRange ForgetRemovedAfter = SpanRange.UpTo(TimeSpan.FromDays(36500));
    public static readonly SpanRange ForgetIdleAfter = SpanRange.OrOff(TimeSpan.FromHours(1), TimeSpan.FromDays(36500));
    public static readonly SpanRange SweepInterval = SpanRange.UpTo(TimeSpan.FromDays(1));
    public static readonly SpanRange StalenessLimit = SpanRange.UpTo(TimeSpan.FromDays(1));

    /// <summary>Signs of life of a registry come about once a second.</summary>
    public static readonly TimeSpan ShortestStalenessLimit = TimeSpan.FromSeconds(5);
}
