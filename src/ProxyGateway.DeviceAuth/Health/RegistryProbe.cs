using System.Globalization;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Health;

/// <summary>
/// Whether the registry answers. Anybody may ask without a key and at any rate, so the registry is asked once a second at most, and all
/// callers of that second get the same answer.
/// </summary>
internal sealed partial class RegistryProbe(DeviceRegistry registry, TimeProvider time, ILogger<RegistryProbe> logger)
{
    /// <summary>How old an answer may be, counted from the question to the registry.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private TimeMark? _askedAt;
    private Task<string?> _answer = Task.FromResult<string?>(null);
    private bool _isAway;
    private volatile string? _notice;

    /// <inheritdoc cref="IGateReadiness.Notice"/>
    public string? Notice => _notice;

    /// <summary>Why the registry does not answer, in words that anybody may read; null if it answers.</summary>
    public Task<string?> AskAsync()
    {
        lock (_lock)
        {
            if (_askedAt is not null && (!_answer.IsCompleted || _askedAt.Elapsed < Interval))
                return _answer;
            _askedAt = new TimeMark(time);
            return _answer = Task.Run(PingAsync); // not under the lock
        }
    }

    private async Task<string?> PingAsync()
    {
        string? failure = null;
        try
        {
            // not the caller's token: others share the answer; the store has its own time-out
            await registry.PingAsync(CancellationToken.None);
            (int count, int format) = await registry.CountNewerAsync(CancellationToken.None);
            _notice = count == 0 ? null : string.Create(
                CultureInfo.InvariantCulture,
                $"{count} {(count == 1 ? "device is" : "devices are")} not admitted here: a newer gateway wrote what is on record of them (format {format}; this gateway reads up to {DeviceDocument.Format}). Upgrade this gateway.");
        }
        catch (RegistryUnavailableException e)
        {
            failure = Describe(e.Fault);
            if (!_isAway)
                LogAway(e.Message);
        }
        catch (Exception e)
        {
            failure = Describe(RegistryFault.Unknown);
            if (!_isAway)
                LogFailed(e);
        }

        if (_isAway && failure is null)
            LogBack();
        _isAway = failure is not null;
        return failure;
    }

    private static string Describe(RegistryFault fault) => fault switch
    {
        RegistryFault.NotReachable => "The registry's server is not reachable.",
        RegistryFault.PasswordRefused => "The registry's server refuses the user or the password.",
        RegistryFault.CertificateRefused => "The certificate of the registry's server, or the gateway's own, is refused.",
        RegistryFault.NewerFormat => "The registry has a newer format than this gateway reads. Upgrade this gateway.",
        _ => "The registry does not answer.",
    };

    [LoggerMessage(1511, LogLevel.Warning, "The gateway is not ready: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(1512, LogLevel.Information, "The gateway is ready again")]
    private partial void LogBack();

    [LoggerMessage(1513, LogLevel.Error, "The gateway is not ready: asking the registry failed")]
    private partial void LogFailed(Exception exception);
}
