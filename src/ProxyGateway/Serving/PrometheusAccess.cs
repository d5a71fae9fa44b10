namespace ProxyGateway.Serving;

/// <summary>Who may read <c>/metrics</c> on the operators' port.</summary>
internal enum PrometheusAccess
{
    /// <summary>It is not there.</summary>
    Off,

    /// <summary>Any operator, with the key as for the other endpoints.</summary>
    Keyed,

    /// <summary>Anybody who reaches the port.</summary>
    Open,
}
