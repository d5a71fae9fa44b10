using System.Diagnostics;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>The source of all spans.</summary>
internal static class Spans
{
    public static readonly ActivitySource Source = new(Telemetry.ActivitySourceName);

    /// <summary>
    /// Begins a span that does not become the current one: a handshake's span ends long before the request that it belongs to, and what the proxy does
    /// meanwhile is no part of it.
    /// </summary>
    /// <param name="name">Its name.</param>
    /// <param name="parent">Its parent.</param>
    /// <returns>Null if nobody records it, or a listener throws: that must not decide what the gate does.</returns>
    public static Activity? Begin(string name, ActivityContext parent)
    {
        Activity? current = Activity.Current;
        try
        {
            return Source.StartActivity(name, ActivityKind.Internal, parent);
        }
        catch (Exception)
        {
            return null;
        }
        finally
        {
            Activity.Current = current;
        }
    }

    /// <summary>Ends a span that is not the current one.</summary>
    public static void End(Activity span)
    {
        Activity? current = Activity.Current;
        try
        {
            span.Stop();
        }
        catch (Exception)
        {
            // as at the beginning
        }
        finally
        {
            Activity.Current = current;
        }
    }
}
