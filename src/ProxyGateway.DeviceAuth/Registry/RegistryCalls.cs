using System.Diagnostics;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Measures calls of the registry's store. While nobody listens, a call costs nothing more.</summary>
internal sealed class RegistryCalls
{
    /// <summary>Of a registry whose calls nobody measures.</summary>
    public static readonly RegistryCalls Off = new(telemetry: null);

    private static readonly string[] Names = [.. Enum.GetValues<RegistryOperation>().Select(operation => HandshakeOutcomeNames.Hyphenate(operation.ToString()))];

    private readonly GateHistogram? _duration;

    /// <param name="telemetry">Makes the instrument; null: none.</param>
    public RegistryCalls(GateTelemetry? telemetry) => _duration = telemetry?.CreateHistogram(
        "proxygateway.registry.operation.duration", "s", "How long calls of the registry took, by operation and outcome.", Buckets.OfCalls);

    /// <summary>Every operation's name.</summary>
    public static IReadOnlyList<string> Operations => Names;

    /// <summary>Every outcome's name.</summary>
    public static IReadOnlyList<string> Outcomes { get; } = ["ok", "contended", "unavailable", "cancelled", "failed"];

    /// <summary>The time before a call, for <see cref="MeasureAsync(RegistryOperation, long, ValueTask)"/>; a store may do its work before it returns.</summary>
    public long Start() => _duration?.IsHeard == true ? Stopwatch.GetTimestamp() : 0;

    /// <summary>Measures a call.</summary>
    /// <param name="operation">What is called.</param>
    /// <param name="start">When it was called: <see cref="Start"/>.</param>
    /// <param name="call">The call.</param>
    public ValueTask<T> MeasureAsync<T>(RegistryOperation operation, long start, ValueTask<T> call) => start == 0 ? call : MeasureOnceAsync(operation, start, call);

    /// <inheritdoc cref="MeasureAsync{T}"/>
    public ValueTask MeasureAsync(RegistryOperation operation, long start, ValueTask call) => start == 0 ? call : MeasureOnceAsync(operation, start, call);

    private async ValueTask<T> MeasureOnceAsync<T>(RegistryOperation operation, long start, ValueTask<T> call)
    {
        Exception? failure = null;
        try
        {
            return await call;
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            Record(operation, start, failure);
        }
    }

    private async ValueTask MeasureOnceAsync(RegistryOperation operation, long start, ValueTask call)
    {
        Exception? failure = null;
        try
        {
            await call;
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            Record(operation, start, failure);
        }
    }

    private void Record(RegistryOperation operation, long start, Exception? failure) => _duration!.Record(
        Stopwatch.GetElapsedTime(start).TotalSeconds,
        new(TagNames.Operation, Names[(int)operation]),
        new(TagNames.Outcome, failure switch
        {
            null => "ok",
            RegistryUnavailableException { IsContended: true } => "contended",
            RegistryUnavailableException => "unavailable",
            OperationCanceledException => "cancelled",
            _ => "failed",
        }));
}
