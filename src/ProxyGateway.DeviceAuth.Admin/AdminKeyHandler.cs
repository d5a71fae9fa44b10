using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Authenticates an operator by <c>Authorization: Bearer</c> and a key (RFC 6750). The request's features have the <see cref="AdminKey"/>
/// and the <see cref="Operator"/>.
/// </summary>
internal sealed class AdminKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, UrlEncoder encoder, AdminKeyRing keys, KeyRefusals refusals)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, NullLoggerFactory.Instance, encoder) // it would log a line for each refusal
{
    public const string SchemeName = "AdminKey";

    private const string Bearer = "Bearer ";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Headers.Authorization is not [{ } header] || !header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            return Task.FromResult(AuthenticateResult.NoResult());

        // A wrong key counts as no key: nothing after this can distinguish the two.
        if (keys.Find(header.AsSpan(Bearer.Length).Trim(' ')) is not { } found)
            return Task.FromResult(AuthenticateResult.NoResult());

        AdminKeyOptions key = found.Options;
        Context.Features.Set(found);
        Context.Features.Set(new Operator(key.Name, key.UpTo, Context.Connection.RemoteIpAddress?.ToString()) { Audiences = key.Audiences });
        var identity = new ClaimsIdentity(
            [new Claim(ClaimTypes.Name, key.Name), new Claim(ClaimTypes.Role, key.Role.ToString())], Scheme.Name);
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties) => refusals.AnswerAsync(Context);

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => AdminProblems.ViewerOnly.WriteAsync(Context);
}
