using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using OpenTelemetry.Trace;
using ProxyGateway.Serving;

namespace ProxyGateway.Tests.Serving;

/// <summary>Which requests are traced is the gateway's choice alone.</summary>
public sealed class BoundedSamplerTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(ActivityTraceFlags.Recorded)]
    [InlineData(ActivityTraceFlags.None)]
    public void What_a_client_says_about_sampling_does_not_count(ActivityTraceFlags flags)
    {
        Decide(new BoundedSampler(percent: 0, perSecond: 100, _time), flags, isRemote: true).ShouldBe(SamplingDecision.Drop);
        Decide(new BoundedSampler(percent: 100, perSecond: 100, _time), flags, isRemote: true).ShouldBe(SamplingDecision.RecordAndSample);
    }

    [Fact]
    public void A_trace_id_that_a_client_repeats_is_not_always_taken()
    {
        var sampler = new BoundedSampler(percent: 50, perSecond: 10_000, _time);
        ActivityTraceId chosen = ActivityTraceId.CreateFromString("4bf92f3577b34da6a3ce929d0e0e4736");

        int taken = Enumerable.Range(0, 1000).Count(_ => Decide(sampler, ActivityTraceFlags.Recorded, isRemote: true, chosen) == SamplingDecision.RecordAndSample);

        taken.ShouldBeInRange(350, 650);
    }

    [Fact]
    public void A_flood_is_traced_only_so_often_in_a_second()
    {
        var sampler = new BoundedSampler(percent: 100, perSecond: 10, _time);

        Taken().ShouldBe(10);
        Taken().ShouldBe(0);
        _time.Advance(TimeSpan.FromSeconds(1));
        Taken().ShouldBe(10);

        int Taken() => Enumerable.Range(0, 100).Count(_ => Decide(sampler, ActivityTraceFlags.Recorded, isRemote: true) == SamplingDecision.RecordAndSample);
    }

    [Fact]
    public void A_span_within_a_request_goes_as_the_request()
    {
        var sampler = new BoundedSampler(percent: 0, perSecond: 1, _time);

        Decide(sampler, ActivityTraceFlags.Recorded, isRemote: false).ShouldBe(SamplingDecision.RecordAndSample);
        Decide(sampler, ActivityTraceFlags.None, isRemote: false).ShouldBe(SamplingDecision.Drop);
    }

    private static SamplingDecision Decide(BoundedSampler sampler, ActivityTraceFlags flags, bool isRemote, ActivityTraceId? trace = null)
    {
        var parent = new ActivityContext(trace ?? ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), flags, "a=b", isRemote);
        SamplingResult result = sampler.ShouldSample(new SamplingParameters(parent, parent.TraceId, "request", ActivityKind.Server, null, null));
        if (isRemote)
            result.TraceStateString.ShouldBe("");
        return result.Decision;
    }
}
