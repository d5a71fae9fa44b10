namespace ProxyGateway.IntegrationTests;

/// <summary>Tests that measure the process they run in, or hang on the time that things take: none runs beside another.</summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public sealed class AloneCollection;
