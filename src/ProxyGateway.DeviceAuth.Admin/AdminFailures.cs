using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Turns exceptions into operators' answers and log lines.</summary>
internal static class AdminFailures
{
    // A laptop that goes to sleep causes no error. Reads of the body fail before RequestAborted is cancelled.
    public static bool IsHangUp(Exception e, HttpContext context) => e is ConnectionResetException or ConnectionAbortedException
        || (e is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested);

    /// <summary>The problem to answer with; its headers are set.</summary>
    public static AdminProblem Describe(Exception exception, HttpContext context, ILogger logger)
    {
        switch (exception)
        {
            case NewerDocumentException e:
                return AdminProblems.NewerFormat with { Detail = e.Message };
            case DamagedDocumentException e:
                AdminLog.RegistryUnavailable(logger, e.Message);
                return AdminProblems.DamagedDevice with { Detail = e.Message };
            case RegistryUnavailableException e:
                AdminLog.RegistryUnavailable(logger, e.Message);
                context.Response.Headers.RetryAfter = "1";
                return e.ChangeWasMade ? AdminProblems.NotConfirmed : AdminProblems.RegistryUnavailable;
            case BadHttpRequestException e:
                return AdminProblems.OfStatus(e.StatusCode);
            default:
                AdminLog.Failed(logger, exception);
                return AdminProblems.InternalError;
        }
    }
}
