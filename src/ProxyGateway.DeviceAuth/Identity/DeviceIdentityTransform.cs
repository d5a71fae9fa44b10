using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Sessions;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>
/// Tells the backend which device was admitted, and sets the headers of the route's own transforms of the gate. YARP runs a provider's transforms after those of the
/// configuration, so none of these can take the headers away or write something else.
/// </summary>
internal sealed partial class DeviceIdentityTransform(
    AssertionKeys keys, IDeviceAuthSettings settings, TimeProvider time, PacedLogger<DeviceIdentityTransform> logger) : ITransformProvider
{
    private const string LocalIssuer = "http://localhost"; // of a gateway that has no public origin

    public void ValidateRoute(TransformRouteValidationContext context)
    {
    }

    public void ValidateCluster(TransformClusterValidationContext context)
    {
    }

    public void Apply(TransformBuilderContext context)
    {
        ImmutableArray<(string Name, Func<HttpContext, ValueTask<string?>> Read)> own =
            [.. BackendHeaderReader.Read(context.Route.Transforms).Select(header => (header.Name, ReaderOf(header)))];
        context.AddRequestTransform(request =>
        {
            HttpRequestHeaders headers = request.ProxyRequest.Headers;
            IdentityHeaders.Remove(headers);
            if (request.HttpContext.Features.Get<IDeviceFeature>() is { } device)
                Set(headers, device);
            return own.IsEmpty ? default : SetOwnAsync(request, own);
        });
    }

    private static void Set(HttpRequestHeaders headers, IDeviceFeature device)
    {
        headers.TryAddWithoutValidation(IdentityHeaders.DeviceId, TextOf(device, DeviceValue.Id));
        headers.TryAddWithoutValidation(IdentityHeaders.Role, TextOf(device, DeviceValue.Role));
        headers.TryAddWithoutValidation(IdentityHeaders.Scopes, TextOf(device, DeviceValue.Scopes));
        headers.TryAddWithoutValidation(IdentityHeaders.Audience, device.Claim.Audience.ToString());
    }

    private async ValueTask SetOwnAsync(
        RequestTransformContext request, ImmutableArray<(string Name, Func<HttpContext, ValueTask<string?>> Read)> own)
    {
        foreach ((string name, Func<HttpContext, ValueTask<string?>> read) in own)
        {
            IdentityHeaders.Remove(request.ProxyRequest.Headers, name);
            try
            {
                if (await read(request.HttpContext) is { } value)
                    request.ProxyRequest.Headers.TryAddWithoutValidation(name, value);
            }
            catch (Exception e) when (SecretFile.IsFailure(e))
            {
                LogUnavailable(LogText.Of(request.HttpContext.Request.Path), name, e.Message);
                await Problems.BackendUnavailable(request.HttpContext); // YARP does not forward a request that has an answer
                return;
            }
        }
    }

    private Func<HttpContext, ValueTask<string?>> ReaderOf(BackendHeader header)
    {
        switch (header)
        {
            case BackendHeader.OfDevice { Value: var value }:
                return context => new(context.Features.Get<IDeviceFeature>() is { } device ? TextOf(device, value) : null);
            case BackendHeader.OfAssertion { Prefix: var prefix, SecretFile: { } path }:
                Renewed<SecretSigner> signer = SecretFile.Follow(() => SecretSigner.Read(path), time);
                return context => AssertAsync(context, prefix, signer.GetAsync);
            case BackendHeader.OfAssertion { Prefix: var prefix }:
                keys.Want();
                return context => AssertAsync(context, prefix, keys.GetAsync);
            default:
                var (_, before, file) = (BackendHeader.OfFile)header;
                Renewed<string> secret = SecretFile.Follow(() => SecretFile.Read(file), time);
                return async context => before + await secret.GetAsync().WaitAsync(context.RequestAborted);
        }
    }

    private async ValueTask<string?> AssertAsync<T>(HttpContext context, string prefix, Func<Task<T>> signer)
        where T : AssertionSigner
    {
        if (context.Features.Get<IDeviceFeature>() is not { } device)
            return null;
        T key = await signer().WaitAsync(context.RequestAborted);
        return prefix + DeviceAssertion.Make(device, settings.Current.PublicOrigins is [var origin, ..] ? origin : LocalIssuer, time.GetUtcNow(), key);
    }

    private static string? TextOf(IDeviceFeature device, DeviceValue value) => value switch
    {
        DeviceValue.Id => device.Claim.Device.ToString(),
        DeviceValue.Role => device.Claim.Role,
        DeviceValue.Scopes => string.Join(' ', device.Claim.Scopes),
        _ => device.Label is { } label ? InAscii(label) : null,
    };

    /// <summary>Operators' text in any language, as a header can carry it: other characters as the percent-encoded bytes of their UTF-8.</summary>
    private static string InAscii(string label)
    {
        if (!label.AsSpan().ContainsAnyExceptInRange(' ', '~') && !label.Contains('%', StringComparison.Ordinal))
            return label;
        var text = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(label))
        {
            if (b is >= (byte)' ' and <= (byte)'~' and not (byte)'%')
                text.Append((char)b);
            else
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return text.ToString();
    }

    [LoggerMessage(1230, LogLevel.Error, "A request of {Path} was not forwarded, since the gate has nothing to put into the header {Header} for the backend: {Reason}.")]
    private partial void LogUnavailable(string path, string header, string reason);
}
