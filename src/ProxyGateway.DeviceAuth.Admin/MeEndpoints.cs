using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/me</c>: the operator of the key.</summary>
internal static class MeEndpoints
{
    public static void Map(RouteGroupBuilder admin) => admin.MapGet("/me", Get).RequireAuthorization(AdminPolicies.Read)
        .WithTags("me").Describe("getMe", "Tells who the key says one is, and what one may do").Produces<MeView>();

    private static JsonHttpResult<MeView> Get(HttpContext context) =>
        TypedResults.Json(MeView.Of(context.Features.GetRequiredFeature<AdminKey>().Options), AdminJsonContext.Default.MeView);
}

/// <summary>An operator.</summary>
/// <param name="Name">The name, as the audit shows it.</param>
/// <param name="Role">The operator's role.</param>
/// <param name="UpTo">The ceiling: scopes by role that the operator may grant at most; other roles may not be granted. Absent:
/// anything.</param>
/// <param name="Audiences">The audiences in which the operator may grant; others may not be granted. Absent: any.</param>
internal sealed record MeView(string Name, AdminRole Role, ImmutableSortedDictionary<string, ScopeSet>? UpTo, IReadOnlyList<Audience>? Audiences)
{
    public static MeView Of(AdminKeyOptions key) => new(
        key.Name, key.Role, key.UpTo?.ToImmutableSortedDictionary(StringComparer.Ordinal), key.Audiences is { } audiences ? [.. audiences] : null);
}
