using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Answers 500 to every request of every route that has not been through the gate. YARP runs this provider's transforms in each pipeline
/// that forwards, so an application that adds the gate and forgets to put it into one of its pipelines is shut, not open.
/// </summary>
internal sealed partial class GateRequiredTransform(PacedLogger<GateRequiredTransform> logger) : ITransformProvider
{
    public void ValidateRoute(TransformRouteValidationContext context)
    {
    }

    public void ValidateCluster(TransformClusterValidationContext context)
    {
    }

    public void Apply(TransformBuilderContext context) => context.AddRequestTransform(request =>
    {
        HttpContext http = request.HttpContext;
        return http.Features.Get<GatePass>() is { } pass && ReferenceEquals(pass.Route, http.GetRouteModel())
            ? default
            : RefuseAsync(http);
    });

    // YARP does not forward a request that has an answer.
    private async ValueTask RefuseAsync(HttpContext context)
    {
        LogNotGated(LogText.Of(context.Request.Path));
        await Problems.NotGated(context);
    }

    [LoggerMessage(1215, LogLevel.Error, "A request of {Path} was not forwarded, since the gate has not checked it for this route: every pipeline given to MapReverseProxy needs UseDeviceAuthorization as its last line.")]
    private partial void LogNotGated(string path);
}
