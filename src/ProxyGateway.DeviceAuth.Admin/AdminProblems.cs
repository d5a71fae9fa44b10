using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Every error that operators can get, ordered by status.</summary>
internal static class AdminProblems
{
    public static AdminProblem InvalidRequest { get; } = Of("invalid-request", "The request is not understood", 400);

    public static AdminProblem InvalidPage { get; } = InvalidRequest with
    {
        Detail = $"limit is 1 to {PageQuery.MaxLimit}, cursor is the next of the page before.",
    };

    public static AdminProblem InvalidEventId { get; } = InvalidRequest with { Detail = "Last-Event-ID is the id of an event, a number." };

    public static AdminProblem InvalidRole { get; } = InvalidRequest with { Detail = "A role is 1 to 128 of A-Z a-z 0-9 . _ : -" };

    public static AdminProblem InvalidAudience { get; } = InvalidRequest with { Detail = $"An audience is {Audience.Names}." };

    public static AdminProblem InvalidIfMatch { get; } = InvalidRequest with { Detail = "If-Match is * or one ETag of this resource." };

    public static AdminProblem Unauthorized { get; } = Of("unauthorized", "An operator's key is required", 401);

    public static AdminProblem ViewerOnly { get; } = Of("viewer-only", "This key may read, but not decide", 403);

    public static AdminProblem AboveCeiling { get; } = Of("above-ceiling", "This key may not grant as much as that", 403);

    public static AdminProblem NamelessOperator { get; } = Of("nameless-operator", "The audit needs an operator's name, and the application gives none", 403);

    public static AdminProblem HostRefused { get; } = Of("host-refused", "The Host is not this endpoint's", 403);

    public static AdminProblem OriginRefused { get; } = Of("origin-refused", "Pages of other origins are not served", 403);

    public static AdminProblem NotFound { get; } = Of("not-found", "There is nothing at this path", 404);

    public static AdminProblem RequestNotFound { get; } = Of("request-not-found", "There is no such pairing request, or it expired some time ago", 404);

    public static AdminProblem DeviceNotFound { get; } = Of("device-not-found", "There is no such device", 404);

    public static AdminProblem GrantNotFound { get; } = Of("grant-not-found", "The device does not hold this role", 404);

    public static AdminProblem SessionNotFound { get; } = Of("session-not-found", "This gateway has no such session, or it is over", 404);

    public static AdminProblem InvitationNotFound { get; } = Of("invitation-not-found", "There is no such invitation, or it has expired", 404);

    public static AdminProblem AuditOff { get; } = Of("audit-off", "No audit is kept (Registry:AuditEntries is 0)", 404);

    public static AdminProblem MethodNotAllowed { get; } = Of("method-not-allowed", "This path does not take that method", 405);

    public static AdminProblem AlreadyResolved { get; } = Of("already-resolved", "The pairing request was resolved otherwise before", 409);

    public static AdminProblem TooManyInvitations { get; } = Of("too-many-invitations", "Too many invitations are open; withdraw some", 409) with
    {
        Detail = $"At most {Invitations.MaxOpen} are open at a time.",
    };

    public static AdminProblem NewerFormat { get; } = Of("newer-format", "A newer gateway wrote what is on record of this device; upgrade this gateway, or use a newer one", 409);

    public static AdminProblem PreconditionFailed { get; } = Of("precondition-failed", "It was changed meanwhile: If-Match does not hold", 412);

    public static AdminProblem BodyTooLarge { get; } = Of("body-too-large", "The body is too large", 413);

    public static AdminProblem NotJson { get; } = Of("not-json", "The body must be application/json", 415);

    public static AdminProblem WiderThanAsked { get; } = Of("wider-than-asked", "The scopes are not covered by those asked for", 422);

    public static AdminProblem InvitationTooLarge { get; } = Of("invitation-too-large", "An invitation cannot hold so many scopes", 422);

    /// <summary>Sent with <c>Retry-After</c>.</summary>
    public static AdminProblem TooManyRequests { get; } = Of("too-many-requests", "Too many requests; try again in a while", 429);

    public static AdminProblem UntilIsPast { get; } = Of("until-past", "The end of a grant lies in the future", 422);

    public static AdminProblem HeldWithoutEnd { get; } = Of(
        "held-without-end", "The device holds this role without end, and would lose all of it then; set the grant of the role instead", 422);

    public static AdminProblem LabelEmpty { get; } = Of("label-empty", "Nothing of the label can be shown", 422);

    public static AdminProblem TooManyStreams { get; } = Of("too-many-streams", "Too many listen to events already", 429) with
    {
        Detail = $"At most {EventStreams.Most} streams of events are open at a time.",
    };

    public static AdminProblem TooManyStreamsOfKey { get; } = TooManyStreams with
    {
        Detail = $"At most {EventStreams.MostOfKey} streams of events are open with one key at a time.",
    };

    public static AdminProblem InternalError { get; } = Of("internal-error", "The gateway failed; its log says why", 500);

    public static AdminProblem DamagedDevice { get; } = Of("damaged-device", "What is on record of this device cannot be read; remove the device", 500);

    public static AdminProblem RegistryUnavailable { get; } = Of("registry-unavailable", "The registry does not answer; try again", 503);

    public static AdminProblem NotConfirmed { get; } = Of("not-confirmed", "The change was made, but may still be lost; repeat it", 503);

    public static AdminProblem Stopping { get; } = Of("stopping", "The gateway is stopping", 503);

    /// <summary>The problem of a status that the framework set without a body.</summary>
    public static AdminProblem OfStatus(int status) => status switch
    {
        401 => Unauthorized,
        404 => NotFound,
        405 => MethodNotAllowed,
        413 => BodyTooLarge,
        415 => NotJson,
        429 => TooManyRequests,
        >= 500 => InternalError with { Status = status },
        _ => InvalidRequest with { Status = status },
    };

    private static AdminProblem Of(string name, string title, int status) => AdminProblem.Of(name, title, status);
}
