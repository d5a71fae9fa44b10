using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// Runs in YARP's pipeline right before the forwarder: passes ungated routes, refuses requests that are no WebSocket upgrade, and passes
/// the others to the route's handshake. A route is gated unless its metadata says <c>"DeviceAuth": "Off"</c>.
/// </summary>
internal sealed partial class DeviceAuthorizationMiddleware(
    RequestDelegate next,
    IServiceProvider services,
    IEnumerable<HandshakeRegistration> handshakes,
    IDeviceAuthSettings settings,
    HandshakeBudgets budgets,
    ClientHistory history,
    LoopbackPeers peers,
    Draining draining,
    AuditLog audit,
    HandshakeMetrics metrics,
    AdmissionDesk desk,
    ClaimedHeaders claimed,
    PacedLogger<DeviceAuthorizationMiddleware> logger)
{
    private const int LoggedNameLength = 64;

    private readonly FrozenDictionary<string, IDeviceHandshake> _handshakes =
        handshakes.ToFrozenDictionary(h => h.Name, h => (IDeviceHandshake)services.GetRequiredService(h.Type));

    public Task InvokeAsync(HttpContext context)
    {
        DeviceAuthOptions options = settings.Current;
        RouteConfig route = context.GetRouteModel().Config;
        if (McpHeaders.AreAmbiguous(route.Match.Headers, context.Request.Headers))
            return Problems.HeaderRefused(context);
        IReadOnlyDictionary<string, string>? metadata = route.Metadata;
        string name = NameOf(context, options);
        if (name == DeviceAuthDefaults.Off)
            return PassAsync(context);

        UpgradeKind kind = WebSocketUpgrade.Classify(context);
        if (kind == UpgradeKind.None && !TakesHttp(name) && AllowsHttp(metadata, options))
        {
            ClientHeaders.KeepForHttp(context.Request.Headers, options.RequestHeaders, LocalityReader.IsTrustedProxy(context, options.TrustedProxies));
            return PassAsync(context);
        }

        return ContainAsync(context, kind, name, options);
    }

    /// <summary>
    /// Answers a gated request. No exception reaches the server, which would log each with a line of its own, as often as strangers can
    /// cause one; and a client that has left is no error.
    /// </summary>
    private async Task ContainAsync(HttpContext context, UpgradeKind kind, string name, DeviceAuthOptions options)
    {
        try
        {
            await AnswerAsync(context, kind, name, options);
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

    private Task AnswerAsync(HttpContext context, UpgradeKind kind, string name, DeviceAuthOptions options)
    {
        if (_handshakes.GetValueOrDefault(name) is ProofHandshake)
            CrossOrigin.Allow(context, options.AllowedOrigins); // also for what is refused before it
        switch (kind)
        {
            case UpgradeKind.None when TakesHttp(name):
                break;
            case UpgradeKind.None:
                Count(context, options, HandshakeOutcome.RequestRefused);
                return Problems.HttpRefused(context);
            case UpgradeKind.OtherVersion:
                Count(context, options, HandshakeOutcome.RequestRefused);
                return Problems.VersionRefused(context);
            case not UpgradeKind.WebSocket:
                Count(context, options, HandshakeOutcome.RequestRefused);
                return Problems.UpgradeRefused(context);
        }

        if (draining.IsUnderWay)
        {
            Count(context, options, HandshakeOutcome.GatewayRestarting);
            return Problems.Draining(context);
        }

        // A device is admitted to what this route leads to. The same backend may have paths of other agents, and some that need other scopes.
        if (PlainPath.Is(context.Request.Path, mayEncodeSlashes: true))
            return ShakeHandsAsync(context, kind, _handshakes[name], options); // an unknown name throws: fails closed
        Count(context, options, HandshakeOutcome.RequestRefused);
        return Problems.PathRefused(context);
    }

    private Task PassAsync(HttpContext context) => PlainPath.Is(context.Request.Path) ? PassOnAsync(context) : Problems.PathRefused(context);

    private Task PassOnAsync(HttpContext context)
    {
        RouteModel route = context.GetRouteModel();
        claimed.Remove(context.Request.Headers, route.Config);
        context.Features.Set(new GatePass(route));
        return next(context);
    }

    private static bool AllowsHttp(IReadOnlyDictionary<string, string>? metadata, DeviceAuthOptions options) =>
        metadata?.GetValueOrDefault(DeviceAuthDefaults.HttpMetadata) is { } value
            ? value == nameof(HttpRequests.Allow)
            : options.HttpRequests == HttpRequests.Allow;

    private async Task ShakeHandsAsync(HttpContext context, UpgradeKind kind, IDeviceHandshake handshake, DeviceAuthOptions options)
    {
        IReadOnlyCollection<string> ownHeaders = handshake.RequestHeadersOf(context.GetRouteModel().Config.Metadata);
        ImmutableArray<string> listed = ownHeaders.Count == 0 ? options.RequestHeaders : [.. options.RequestHeaders, .. ownHeaders];
        ClaimOrigin? read = LocalityReader.Read(context, options.TrustedProxies, listed, peers, out string? strange);
        if (read is not { } origin)
        {
            Count(context, options, HandshakeOutcome.ClientLeft);
            context.Abort();
            return;
        }

        if (strange is not null)
            LogStrangeHeader(strange.Length <= LoggedNameLength ? strange : strange[..LoggedNameLength]);
        Client client = Client.Of(origin, context.Request, options);
        if (!history.TryBegin(client, options.Limits.HandshakesPerSecondPerAddress))
        {
            await RefuseAsync(context, origin, client, BudgetScope.Rate, options);
            return;
        }

        if (!OriginCheck.Allows(context.Request, options.AllowedOrigins))
        {
            LogOriginRefused(LogText.Of(context.Request.Path));
            Count(context, options, HandshakeOutcome.OriginRefused);
            if (history.IsAuditDue(client))
                Enter(origin, options, "origin");
            await Problems.OriginRefused(context);
            return;
        }

        if (DestinationOf(context) is not { } destination)
        {
            LogTooEarly(LogText.Of(context.Request.Path));
            Count(context, options, HandshakeOutcome.Failed);
            await Problems.NotGated(context);
            return;
        }

        BudgetScope exhausted = budgets.TryTake(client, history.FamiliarityOf(client), destination, options.Limits, out HandshakePlace place);
        if (exhausted != BudgetScope.None)
        {
            await RefuseAsync(context, origin, client, exhausted, options);
            return;
        }

        using (place)
        {
            Audience audience = AudienceOf(context);
            HandshakeTrace? trace = metrics.IsHeard ? metrics.Begin(context.GetRouteModel().Config.RouteId, NameOf(context, options), audience.ToString()) : null;
            var request = new HandshakeRequest(
                new HandshakeContext(context, origin, options, audience, place) { Trace = trace }, desk, ownHeaders, isUpgrade: kind == UpgradeKind.WebSocket, ForwardAsync);
            var failure = HandshakeOutcome.Failed;
            try
            {
                await request.RunAsync(handshake);
                failure = HandshakeOutcome.Answered;
            }
            finally
            {
                trace?.Complete(context.RequestAborted.IsCancellationRequested ? HandshakeOutcome.ClientLeft : failure);
            }
        }
    }

    // Strangers are refused here at any rate: while nobody listens, nothing is looked up for it.
    private void Count(HttpContext context, DeviceAuthOptions options, HandshakeOutcome outcome)
    {
        if (metrics.HearsRefusals)
            metrics.Refused(context.GetRouteModel().Config.RouteId, NameOf(context, options), AudienceOf(context).ToString(), outcome);
    }

    private static string NameOf(HttpContext context, DeviceAuthOptions options) =>
        context.GetRouteModel().Config.Metadata?.GetValueOrDefault(DeviceAuthDefaults.HandshakeMetadata) ?? options.Handshake;

    private Task ForwardAsync(HandshakeRequest request)
    {
        HttpContext context = request.Http;
        IHeaderDictionary headers = context.Request.Headers;
        foreach (string own in request.OwnHeaders)
            headers.Remove(own);
        bool isTrustedProxy = LocalityReader.IsTrustedProxy(context, request.Options.TrustedProxies);
        if (request.IsUpgrade)
            ClientHeaders.KeepForUpgrade(headers, request.Options.RequestHeaders, isTrustedProxy);
        else
            ClientHeaders.KeepForHttp(headers, request.Options.RequestHeaders, isTrustedProxy);
        return PassOnAsync(context);
    }

    // A name that is none throws, although no route with one is loaded: fails closed, since another audience would be another agent.
    private static Audience AudienceOf(HttpContext context) =>
        context.GetRouteModel().Config.Metadata?.GetValueOrDefault(DeviceAuthDefaults.AudienceMetadata) is { } name ? Audience.Parse(name) : Audience.Default;

    private bool TakesHttp(string name) => _handshakes.TryGetValue(name, out IDeviceHandshake? handshake) && handshake.TakesHttpRequests;

    private Task RefuseAsync(HttpContext context, ClaimOrigin origin, Client client, BudgetScope exhausted, DeviceAuthOptions options)
    {
        LogOverBudget(origin.Address, exhausted);
        Count(context, options, HandshakeOutcomes.Of(exhausted));
        if (history.IsAuditDue(client))
            Enter(origin, options, exhausted is BudgetScope.Rate or BudgetScope.Address ? "budget-of-address" : "budget");
        return Problems.OverBudget(context, exhausted);
    }

    private void Enter(ClaimOrigin origin, DeviceAuthOptions options, string reason) => audit.Enter(new AuditEntry
    {
        Kind = AuditKinds.UpgradeRefused,
        Reason = reason,
        Address = origin.Address,
        Locality = options.Policy.Classify(origin.Locality),
    });

    /// <summary>
    /// The destination that YARP has chosen; empty if none is available. Null if none is chosen yet: then session affinity and load
    /// balancing come after the gate, and if the gate chose one for its budgets, it would undo theirs.
    /// </summary>
    private static string? DestinationOf(HttpContext context)
    {
        IReverseProxyFeature proxy = context.GetReverseProxyFeature();
        return proxy.AvailableDestinations switch
        {
            [] => "",
            [var destination] => $"{proxy.Cluster.Config.ClusterId}/{destination.DestinationId}",
            _ => null,
        };
    }

    [LoggerMessage(1201, LogLevel.Information, "Refused an upgrade of {Path}: its Origin is neither listed in DeviceAuth:AllowedOrigins nor the gateway's own.")]
    private partial void LogOriginRefused(string path);

    [LoggerMessage(1202, LogLevel.Warning, "Refused an upgrade from {Address}: its budget is used up ({Scope}, see DeviceAuth:Limits).")]
    private partial void LogOverBudget(string? address, object scope);

    [LoggerMessage(1213, LogLevel.Error, "A request of {Path} failed in the gate itself, and was refused.")]
    private partial void LogFailed(string path, Exception exception);

    [LoggerMessage(1216, LogLevel.Error, "Refused an upgrade of {Path}, since its destination is not chosen yet: UseDeviceAuthorization must come after UseSessionAffinity and UseLoadBalancing.")]
    private partial void LogTooEarly(string path);

    [LoggerMessage(1214, LogLevel.Information, "A connection does not count as loopback: a proxy may have added its header {Header}, which clients do not send by themselves. If a client on this machine needs it, name it in DeviceAuth:RequestHeaders.")]
    private partial void LogStrangeHeader(string header);
}
