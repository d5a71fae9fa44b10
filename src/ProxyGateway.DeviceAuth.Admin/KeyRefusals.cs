using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Answers requests without a valid key: always with the same answer, and more slowly with each failure of an address. A valid key is found
/// before this, so it never waits, even behind an address with many failures.
/// </summary>
internal sealed class KeyRefusals
{
    private readonly RefusalPace _pace;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;
    private readonly ILogger _logger;
    private readonly GateCounter _unauthorized;

    public KeyRefusals(TimeProvider time, GateTelemetry telemetry, IHostApplicationLifetime lifetime, ILogger<KeyRefusals> logger)
    {
        _pace = new RefusalPace(time);
        _time = time;
        _stopping = lifetime.ApplicationStopping;
        _logger = logger;
        _unauthorized = telemetry.CreateCounter(
            "proxygateway.admin.unauthorized", "{request}", "Requests to the operators' endpoints without a right key.");
    }

    /// <summary>The number of delayed answers now.</summary>
    public int Held => _pace.Held;

    /// <summary>Answers 401, with a delay after many failures; 429 if too many answers already wait.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        string address = NameOf(context.Connection.RemoteIpAddress);
        using RefusalPace.Turn turn = _pace.Take(address);
        AdminProblem problem = turn.IsTooMany ? AdminProblems.TooManyRequests : AdminProblems.Unauthorized;
        if (_unauthorized.IsHeard)
            _unauthorized.Add(1, KeyValuePair.Create<string, object?>("http.response.status_code", problem.Status));
        if (turn.ToTell > 0)
            AccessLog.Refused(_logger, address, turn.ToTell);

        if (turn.IsTooMany)
            context.Response.Headers.RetryAfter = FailurePacer.LongestDelay.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        else
            context.Response.Headers.WWWAuthenticate = "Bearer";
        if (turn.Delay > TimeSpan.Zero)
            await WaitAsync(turn.Delay, context.RequestAborted);
        await problem.WriteAsync(context);
    }

    // Each loopback address counts by itself: there is a bound for all of them together, and the log names the address.
    private static string NameOf(IPAddress? address) =>
        address is not null && IPAddress.IsLoopback(address) ? address.ToString() : AddressBlock.Of(address);

    // A stopping gateway does not wait for refusals.
    private async Task WaitAsync(TimeSpan delay, CancellationToken aborted)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(aborted, _stopping);
        try
        {
            await Task.Delay(delay, _time, end.Token);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
        }
    }
}
