using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Reads operators' input: bounded and strict.</summary>
internal static partial class JsonBody
{
    private const int MaxBytes = 64 * 1024;

    /// <summary>Reads an optional body: if it is missing, both results are null.</summary>
    /// <param name="request">The request.</param>
    /// <param name="type">The type of its content.</param>
    /// <param name="wanted">The expected content, in words.</param>
    /// <param name="maxBytes">The maximum length in bytes.</param>
    public static async ValueTask<(AdminProblem? Wrong, T? Value)> ReadOptionalAsync<T>(
        HttpRequest request, JsonTypeInfo<T> type, string wanted, int maxBytes = MaxBytes)
        where T : class
    {
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = maxBytes;
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted);
        if (body.Length == 0)
            return (null, null);
        if (!request.HasJsonContentType())
            return (AdminProblems.NotJson, null);
        try
        {
            if (JsonSerializer.Deserialize(body.GetBuffer().AsSpan(0, (int)body.Length), type) is { } value)
                return (null, value);
        }
        catch (JsonException e)
        {
            return (NotUnderstood(wanted, e), null);
        }

        return (NotUnderstood(wanted), null);
    }

    /// <summary>Reads a required body.</summary>
    /// <inheritdoc cref="ReadOptionalAsync"/>
    public static async ValueTask<(AdminProblem? Wrong, T? Value)> ReadAsync<T>(
        HttpRequest request, JsonTypeInfo<T> type, string wanted, int maxBytes = MaxBytes)
        where T : class
    {
        (AdminProblem? wrong, T? value) = await ReadOptionalAsync(request, type, wanted, maxBytes);
        return (wrong ?? (value is null ? NotUnderstood(wanted) : null), value);
    }

    private static AdminProblem NotUnderstood(string wanted) => AdminProblems.InvalidRequest with { Detail = wanted };

    // The position, and which members are missing. The rest of the parser's message quotes the input.
    private static AdminProblem NotUnderstood(string wanted, JsonException error)
    {
        string where = SafeText.Of(error.Path) is { } path and not "$" ? $"At {path}: " : "";
        Match missing = MissingMembers().Match(error.Message);
        return NotUnderstood(where + (missing.Success ? $"{missing.Groups["names"].Value} is missing. " : "") + wanted);
    }

    // The names are those of our own types.
    [GeneratedRegex(@"missing required properties including: (?<names>'\w+'([,;] '\w+')*)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MissingMembers();
}
