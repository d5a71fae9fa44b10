using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>Reads the transforms of a route by which the gate sets headers for its backend.</summary>
internal static class BackendHeaderReader
{
    private const string DeviceHeader = "DeviceHeader";
    private const string Value = "Value";
    private const string DeviceAssertion = "DeviceAssertion";
    private const string Algorithm = "Algorithm";
    private const string Es256 = "ES256";
    private const string Hs256 = "HS256";
    private const string SecretFileKey = "SecretFile";
    private const string RequestHeaderFromFile = "RequestHeaderFromFile";
    private const string FileKey = "File";
    private const string PrefixKey = "Prefix";

    private static readonly ImmutableArray<string> Kinds = [DeviceHeader, DeviceAssertion, RequestHeaderFromFile];

    // YARP and .NET write these, they belong to a connection, or the gate decides by them. YARP's default transforms X-Forwarded come last.
    private static readonly ImmutableHashSet<string> Reserved = ImmutableHashSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "Host", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
        "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Accept",
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix");

    /// <summary>Whether a transform is one of these.</summary>
    public static bool IsOne(IReadOnlyDictionary<string, string> transform) => KindOf(transform) is not null;

    /// <summary>The headers that a route's transforms set.</summary>
    /// <exception cref="InvalidOperationException">A transform is not valid: a route without one of its headers must not be served.</exception>
    public static ImmutableArray<BackendHeader> Read(IReadOnlyList<IReadOnlyDictionary<string, string>>? transforms)
    {
        var errors = new List<string>();
        ImmutableArray<BackendHeader> headers = [.. (transforms ?? []).Where(IsOne).Select(t => Read(t, errors)).OfType<BackendHeader>()];
        return errors is [var error, ..] ? throw new InvalidOperationException(error) : headers;
    }

    /// <summary>Reads one transform. Files are not looked at.</summary>
    /// <param name="transform">The transform, one of these.</param>
    /// <param name="errors">What is wrong with it.</param>
    /// <returns>Null if anything is wrong.</returns>
    public static BackendHeader? Read(IReadOnlyDictionary<string, string> transform, ICollection<string> errors)
    {
        string kind = KindOf(transform)!;
        string name = transform[kind];
        int known = errors.Count;
        if (WhyNotName(kind, name) is { } allowed)
            errors.Add($"{kind}: found \"{name}\"; allowed: {allowed}.");
        BackendHeader? header = kind switch
        {
            DeviceHeader => ReadDevice(name, transform, errors),
            DeviceAssertion => ReadAssertion(name, transform, errors),
            _ => ReadFile(name, transform, errors),
        };
        return errors.Count == known ? header : null;
    }

    /// <summary>What is wrong with the file of a header now; null if nothing is, or it has none.</summary>
    public static string? WhyNoSecret(BackendHeader header) => header switch
    {
        BackendHeader.OfFile { File: var file } => WhyNoSecret($"{RequestHeaderFromFile} \"{header.Name}\", {FileKey}", () => SecretFile.Read(file)),
        BackendHeader.OfAssertion { SecretFile: { } file } => WhyNoSecret($"{DeviceAssertion} \"{header.Name}\", {SecretFileKey}", () => SecretSigner.Read(file)),
        _ => null,
    };

    private static string? WhyNoSecret(string where, Func<object> read)
    {
        try
        {
            _ = read();
            return null;
        }
        catch (Exception e) when (SecretFile.IsFailure(e))
        {
            return $"{where}: {e.Message}.";
        }
    }

    private static BackendHeader.OfDevice? ReadDevice(string name, IReadOnlyDictionary<string, string> transform, ICollection<string> errors)
    {
        ReportUnknown(transform, errors, DeviceHeader, Value);
        DeviceValue? value = transform.GetValueOrDefault(Value) switch
        {
            "id" => DeviceValue.Id,
            "label" => DeviceValue.Label,
            "role" => DeviceValue.Role,
            "scopes" => DeviceValue.Scopes,
            _ => null,
        };
        if (value is { } known)
            return new BackendHeader.OfDevice(name, known);
        errors.Add($"{DeviceHeader} \"{name}\", {Found(transform, Value)}; allowed: id, label, role, scopes.");
        return null;
    }

    private static BackendHeader.OfAssertion? ReadAssertion(string name, IReadOnlyDictionary<string, string> transform, ICollection<string> errors)
    {
        ReportUnknown(transform, errors, DeviceAssertion, Algorithm, SecretFileKey, PrefixKey);
        string prefix = ReadPrefix(DeviceAssertion, name, transform, errors);
        string algorithm = transform.GetValueOrDefault(Algorithm) ?? Es256;
        string? file = transform.GetValueOrDefault(SecretFileKey);
        if (algorithm is not (Es256 or Hs256))
            errors.Add($"{DeviceAssertion} \"{name}\", {Found(transform, Algorithm)}; allowed: {Es256}, {Hs256}.");
        else if (algorithm == Es256 && file is not null)
            errors.Add($"{DeviceAssertion} \"{name}\", {SecretFileKey}: is for {Algorithm} {Hs256}; {Es256} signs with a key of the gateway's own.");
        else if (algorithm == Hs256 && string.IsNullOrWhiteSpace(file))
            errors.Add($"{DeviceAssertion} \"{name}\", {SecretFileKey}: is missing; it is a file that only its owner can read, with the secret that the backend has too.");
        else
            return new BackendHeader.OfAssertion(name, prefix, file);
        return null;
    }

    private static BackendHeader.OfFile? ReadFile(string name, IReadOnlyDictionary<string, string> transform, ICollection<string> errors)
    {
        ReportUnknown(transform, errors, RequestHeaderFromFile, FileKey, PrefixKey);
        string prefix = ReadPrefix(RequestHeaderFromFile, name, transform, errors);
        if (transform.GetValueOrDefault(FileKey) is { } file && !string.IsNullOrWhiteSpace(file))
            return new BackendHeader.OfFile(name, prefix, file);
        errors.Add($"{RequestHeaderFromFile} \"{name}\", {FileKey}: is missing; it is a file that only its owner can read.");
        return null;
    }

    private static string ReadPrefix(string kind, string name, IReadOnlyDictionary<string, string> transform, ICollection<string> errors)
    {
        string prefix = transform.GetValueOrDefault(PrefixKey) ?? "";
        if (prefix.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            errors.Add($"{kind} \"{name}\", {PrefixKey}: has a character that no header can carry.");
        return prefix;
    }

    private static void ReportUnknown(IReadOnlyDictionary<string, string> transform, ICollection<string> errors, params string[] known)
    {
        foreach (string key in transform.Keys.Where(key => !known.Contains(key, StringComparer.OrdinalIgnoreCase)))
            errors.Add($"{known[0]} \"{transform[known[0]]}\", {key}: unknown key; allowed: {string.Join(", ", known)}.");
    }

    private static string? WhyNotName(string kind, string name)
    {
        using var request = new HttpRequestMessage();
        if (string.IsNullOrEmpty(name) || !request.Headers.TryAddWithoutValidation(name, "") || Reserved.Contains(name))
            return "names of headers that a request can have, and that neither its connection nor its content nor the proxy uses";
        if (IdentityHeaders.All.Contains(name))
            return "any header but this, which is the gate's own on all routes";
        return kind == DeviceHeader && name.ToUpperInvariant() is "AUTHORIZATION" or "COOKIE" ? "any header but this, which is for credentials" : null;
    }

    private static string Found(IReadOnlyDictionary<string, string> transform, string key) =>
        transform.TryGetValue(key, out string? value) ? $"{key}: found \"{value}\"" : $"{key}: is missing";

    private static string? KindOf(IReadOnlyDictionary<string, string> transform) => Kinds.FirstOrDefault(transform.ContainsKey);
}
