using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Answers everything below <see cref="Prefix"/> before any route: a route of a backend there could give clients nonces and keys of its own.
/// </summary>
internal sealed partial class ReservedPaths(
    IEnumerable<IReservedEndpoint> endpoints, IDeviceAuthSettings settings, ClientHistory history, LoopbackPeers peers, HandshakeMetrics metrics, PacedLogger<ReservedPaths> logger) : IStartupFilter
{
    /// <summary>What the paths begin with.</summary>
    public const string Prefix = "/.well-known/proxygateway";

    private readonly FrozenDictionary<string, IReservedEndpoint> _endpoints = endpoints.ToFrozenDictionary(e => $"{Prefix}/{e.Name}");

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(pipeline => context => context.Request.Path.StartsWithSegments(Prefix, StringComparison.OrdinalIgnoreCase) ? ContainAsync(context) : pipeline(context));
        next(app);
    };

    private async Task ContainAsync(HttpContext context)
    {
        try
        {
            await AnswerAsync(context);
        }
        catch (Exception e)
        {
            if (!context.RequestAborted.IsCancellationRequested)
                LogFailed(LogText.Of(context.Request.Path), e);
            if (context.Response.HasStarted)
                context.Abort();
            else
                context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    private Task AnswerAsync(HttpContext context)
    {
        IReservedEndpoint? endpoint = _endpoints.GetValueOrDefault(context.Request.Path.Value ?? "");
        DeviceAuthOptions options = settings.Current;
        ImmutableArray<string> listed = [.. options.RequestHeaders, ProofNames.ProofHeader, ProofNames.SessionHeader];
        if (LocalityReader.Read(context, options.TrustedProxies, listed, peers, out _) is not { } origin)
        {
            Count(endpoint, HandshakeOutcome.ClientLeft);
            context.Abort();
            return Task.CompletedTask;
        }

        CrossOrigin.Allow(context, options.AllowedOrigins);
        if (!history.TryBegin(Client.Of(origin, context.Request, options), options.Limits.HandshakesPerSecondPerAddress))
        {
            Count(endpoint, HandshakeOutcome.OverRate);
            return Problems.OverBudget(context, BudgetScope.Rate);
        }

        if (!OriginCheck.Allows(context.Request, options.AllowedOrigins))
        {
            Count(endpoint, HandshakeOutcome.OriginRefused);
            return Problems.OriginRefused(context);
        }

        if (endpoint is null)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        }

        if (CrossOrigin.IsPreflight(context.Request))
        {
            Count(endpoint, HandshakeOutcome.Preflight);
            CrossOrigin.AnswerPreflight(context);
            return Task.CompletedTask;
        }

        if (context.Request.Method != endpoint.Method && !(endpoint.Method == HttpMethods.Get && HttpMethods.IsHead(context.Request.Method)))
        {
            Count(endpoint, HandshakeOutcome.RequestRefused);
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = endpoint.Method;
            return Task.CompletedTask;
        }

        return endpoint.AnswerAsync(context, origin);
    }

    private void Count(IReservedEndpoint? endpoint, HandshakeOutcome outcome)
    {
        if (endpoint?.Handshake is { } handshake)
            metrics.Refused(TagNames.None, handshake, TagNames.None, outcome);
    }

    [LoggerMessage(1217, LogLevel.Error, "A request of {Path} failed in the gate itself.")]
    private partial void LogFailed(string path, Exception exception);
}
