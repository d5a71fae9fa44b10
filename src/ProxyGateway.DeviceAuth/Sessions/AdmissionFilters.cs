using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>All filters of the application. A filter that fails refuses.</summary>
internal sealed partial class AdmissionFilters(
    IEnumerable<IAdmissionFilter> filters, TimeProvider time, PacedLogger<AdmissionFilters> logger)
{
    private readonly IAdmissionFilter[] _filters = [.. filters];

    /// <summary>Whether there are any.</summary>
    public bool Any => _filters.Length > 0;

    /// <summary>The refusal of the first filter that refuses; null if none does.</summary>
    /// <param name="context">The upgrade request.</param>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">The claim's origin.</param>
    /// <param name="options">The options in force.</param>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async ValueTask<Closing?> RefuseAsync(HttpContext context, DeviceClaim claim, ClaimOrigin origin, DeviceAuthOptions options)
    {
        if (_filters.Length == 0)
            return null;
        var admission = new AdmissionContext(context, claim, origin.Address, options.Policy.Classify(origin.Locality));
        using var deadline = new CancellationTokenSource(options.HandshakeTimeout, time);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, context.RequestAborted);
        foreach (IAdmissionFilter filter in _filters)
        {
            try
            {
                // A filter may ignore the token.
                if (await filter.RefuseAsync(admission, patience.Token).AsTask().WaitAsync(patience.Token) is not { } reason)
                    continue;
                LogRefused(filter.GetType().Name, claim.Device, claim.Key.ToString(), origin.Address, SafeText.Of(reason));
                return Closing.ByApplication(reason);
            }
            catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
            {
                LogFailed(filter.GetType().Name, claim.Device, e);
                return Closing.InternalError;
            }
        }

        return null;
    }

    [LoggerMessage(1010, LogLevel.Information, "The filter {Filter} refused device {Device} as {Role} from {Address}: {Reason}")]
    private partial void LogRefused(string filter, object device, string role, string? address, string? reason);

    [LoggerMessage(1011, LogLevel.Error, "The filter {Filter} failed; device {Device} was not admitted.")]
    private partial void LogFailed(string filter, object device, Exception exception);
}
