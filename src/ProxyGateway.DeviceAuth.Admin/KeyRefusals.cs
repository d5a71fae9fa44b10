using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Answers whoever comes without a right key: always in the same way, and the more often the later. A right key is found before any of this,
/// so it never waits, whoever else is behind its address.
/// </summary>
internal sealed class KeyRefusals
{
    private readonly RefusalPace _pace;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;
    private readonly ILogger _logger;
    private readonly Counter<long> _unauthorized;

    public KeyRefusals(TimeProvider time, IMeterFactory meters, IHostApplicationLifetime lifetime, ILogger<KeyRefusals> logger)
    {
        _pace = new RefusalPace(time);
        _time = time;
        _stopping = lifetime.ApplicationStopping;
        _logger = logger;
        _unauthorized = meters.Create(Telemetry.MeterName).CreateCounter<long>(
            "proxygateway.admin.unauthorized", "{request}", "Requests to the operators' endpoints without a right key.");
    }

    /// <summary>How many answers are held back now.</summary>
    public int Held => _pace.Held;

    /// <summary>Answers 401, after a while if there were many; 429 where too many wait already.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        string address = NameOf(context.Connection.RemoteIpAddress);
        using RefusalPace.Turn turn = _pace.Take(address);
        AdminProblem problem = turn.IsTooMany ? AdminProblems.TooManyRequests : AdminProblems.Unauthorized;
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

    // Of loopback each address by itself: there is a bound for all of them together, and the log says which it was.
    private static string NameOf(IPAddress? address) =>
        address is not null && IPAddress.IsLoopback(address) ? address.ToString() : AddressBlock.Of(address);

    // A gateway that stops does not wait for those who should not be here.
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
