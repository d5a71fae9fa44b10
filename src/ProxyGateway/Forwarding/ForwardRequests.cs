using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.Connecting;
using ProxyGateway.DeviceAuth.Localities;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.Forwarding;

/// <summary>Takes local clients' requests: checks that they are this user's own, and forwards them with the device's proof.</summary>
internal sealed class ForwardRequests(IHttpForwarder forwarder, ForwardToken? token)
{
    public async Task InvokeAsync(HttpContext http)
    {
        ForwardListener listener = http.Features.GetRequiredFeature<ForwardListener>();
        if (!LoopbackGuard.NamesLoopback(http.Request))
        {
            await ForwardAnswers.WrongHostAsync(http);
            return;
        }

        if (LoopbackGuard.IsOfForeignPage(http.Request))
        {
            await ForwardAnswers.ForeignPageAsync(http);
            return;
        }

        if (token?.TakeFrom(http.Request.Headers) == false)
        {
            await ForwardAnswers.TokenRequiredAsync(http);
            return;
        }

        bool isTunnel = HttpMethods.IsConnect(http.Request.Method) && http.Features.Get<IHttpExtendedConnectFeature>() is not { IsExtendedConnect: true };
        if (isTunnel || listener.Target.UrlOf(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget) is not { } url)
        {
            await ForwardAnswers.NotForwardedAsync(http);
            return;
        }

        await ForwardAsync(http, listener, url);
    }

    private async Task ForwardAsync(HttpContext http, ForwardListener listener, Uri url)
    {
        ForwardTarget target = listener.Target;
        ForwarderError error = await forwarder.SendAsync(
            http, target.Url.GetLeftPart(UriPartial.Authority), target.Client, target.Config, new ForwardTransformer(target, url, listener.Watch));
        if (IsOfGateway(error))
            listener.Watch.Doubt();
        if (error is not (ForwarderError.Request or ForwarderError.RequestTimedOut) || http.Response.HasStarted)
            return;
        Exception? failure = http.Features.Get<IForwarderErrorFeature>()?.Exception;
        http.Response.Clear();
        await ForwardAnswers.UnreachableAsync(http, PlainText.Of(failure is null ? null : Authorities.WhyUnreachable(failure)));
    }

    // The others are the client's doing, which may leave when it likes.
    private static bool IsOfGateway(ForwarderError error) => error
        is ForwarderError.Request or ForwarderError.RequestTimedOut or ForwarderError.ResponseHeaders
        or ForwarderError.RequestBodyDestination or ForwarderError.ResponseBodyDestination
        or ForwarderError.UpgradeRequestDestination or ForwarderError.UpgradeResponseDestination;
}
