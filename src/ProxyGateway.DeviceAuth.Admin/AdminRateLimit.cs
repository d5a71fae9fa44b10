using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Limits the requests of each operator: a token bucket for each name, so that a script that runs wild takes nothing from the others.
/// <see cref="KeyRefusals"/> limits requests without a key.
/// </summary>
/// <param name="Burst">The number at once.</param>
/// <param name="Refill">The number added in each <paramref name="Period"/>.</param>
/// <param name="Period">The period.</param>
internal sealed record AdminRateLimit(int Burst, int Refill, TimeSpan Period)
{
    public static AdminRateLimit Default { get; } = new(Burst: 200, Refill: 100, TimeSpan.FromSeconds(1));

    public void Apply(RateLimiterOptions options)
    {
        options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
            context.Features.Get<AdminKey>() is { } key
                ? RateLimitPartition.GetTokenBucketLimiter(key.Options.Name, _ => new TokenBucketRateLimiterOptions
                {
                    TokenLimit = Burst,
                    TokensPerPeriod = Refill,
                    ReplenishmentPeriod = Period,
                })
                : RateLimitPartition.GetNoLimiter(""));
        options.OnRejected = async (rejected, _) =>
        {
            TimeSpan wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan after) ? after : Period;
            rejected.HttpContext.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            await AdminProblems.TooManyRequests.WriteAsync(rejected.HttpContext);
        };
    }
}
