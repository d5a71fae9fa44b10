using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The version of a record as an entity tag (RFC 9110 §8.8.3): always a strong one. Parsed by hand, since the framework's typed header
/// accepts <c>w/</c> for <c>W/</c> and ignores a trailing comma.
/// </summary>
internal static class EntityTags
{
    /// <summary>Sets the version of the answer in <c>ETag</c>.</summary>
    public static void Write(HttpResponse response, string version) => response.Headers.ETag = $"\"{version}\"";

    /// <summary>
    /// Reads <c>If-Match</c>: absent, <c>*</c> or one entity tag. False for anything else, which must be answered with 400.
    /// </summary>
    public static bool TryReadIfMatch(HttpRequest request, out IfMatch ifMatch)
    {
        ifMatch = IfMatch.Unconditional;
        if (request.Headers.IfMatch.Count == 0)
            return true;
        if (request.Headers.IfMatch is not [{ } header])
            return false;
        ReadOnlySpan<char> value = header.AsSpan().Trim(" \t");
        if (value is "*")
        {
            ifMatch = IfMatch.Anything;
            return true;
        }

        bool isWeak = value.StartsWith("W/", StringComparison.Ordinal);
        if ((isWeak ? value[2..] : value) is not ['"', .. var opaque, '"'] || opaque.ContainsAny("\" \t"))
            return false;
        ifMatch = isWeak ? IfMatch.Nothing : IfMatch.Version(opaque.ToString());
        return true;
    }
}

/// <summary>A request's condition on the record that it would change (RFC 9110 §13.1.1).</summary>
internal readonly record struct IfMatch
{
    private enum Demand
    {
        None,
        Something,
        Version,
        Impossible,
    }

    /// <summary>No condition.</summary>
    public static IfMatch Unconditional { get; }

    /// <summary><c>*</c>: there must be a record, of any version.</summary>
    public static IfMatch Anything { get; } = new() { Demanded = Demand.Something };

    /// <summary>A weak tag: compared strongly, it equals nothing.</summary>
    public static IfMatch Nothing { get; } = new() { Demanded = Demand.Impossible };

    /// <summary>There must be a record, of this version.</summary>
    public static IfMatch Version(string version) => new() { Demanded = Demand.Version, Expected = version };

    private Demand Demanded { get; init; }

    private string? Expected { get; init; }

    /// <summary>Whether the record may be changed; else the answer is 412.</summary>
    /// <param name="version">The record's version, null if there is no record.</param>
    public bool Holds(string? version) => Demanded switch
    {
        Demand.None => true,
        Demand.Something => version is not null,
        Demand.Version => version == Expected,
        _ => false,
    };
}
