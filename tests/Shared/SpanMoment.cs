namespace ProxyGateway.Tests.Shared;

/// <summary>When a listener to spans is called.</summary>
public enum SpanMoment
{
    /// <summary>It is asked whether it wants one.</summary>
    Sampled,

    /// <summary>One has begun.</summary>
    Started,

    /// <summary>One has ended.</summary>
    Stopped,
}
