namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Measures the calls of a store of shared documents.</summary>
internal sealed class MeasuredDocuments(ISharedDocumentStore store, RegistryCalls calls) : ISharedDocumentStore
{
    /// <summary>The same for a store that may be none.</summary>
    public static ISharedDocumentStore? Of(ISharedDocumentStore? store, RegistryCalls calls) => store is null ? null : new MeasuredDocuments(store, calls);

    public ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken) =>
        calls.MeasureAsync(RegistryOperation.ListShared, calls.Start(), store.ListAsync(group, cancellationToken));

    public ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken) =>
        calls.MeasureAsync(RegistryOperation.SwapShared, calls.Start(), store.SwapAsync(previousVersion, next, cancellationToken));
}
