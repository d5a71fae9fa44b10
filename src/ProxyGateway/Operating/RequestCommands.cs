using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway requests ...</c></summary>
internal static class RequestCommands
{
    // An id begins with ten characters of time, the same for all requests of one millisecond. With fewer characters than this, an operator
    // could approve another request than the one they saw, once that one is gone. 40 bits of it are random.
    private const int MinApproved = 18;

    private const string Path = "admin/v1/requests";

    private static readonly Argument<string> Id = new("id") { Description = "The request's id, or its beginning" };

    private static readonly Option<string[]> Also = new("--also")
    {
        Description = "Grant this role of the same audience as well, until the same time, whether the device asks for it yet or not; may be given again",
        HelpName = "role:a,b",
        Arity = ArgumentArity.OneOrMore,
    };

    public static Command Build() => new("requests", "Devices that wait for approval")
    {
        OperatorCommand.New("list", "Open requests, newest first, those of one device together", ListAsync, OperatorCommand.AudienceFilter),
        OperatorCommand.New("show", "One of them, also for a while after it was decided", ShowAsync, Id),
        OperatorCommand.New(
            "approve",
            "Approve a request: all that it asks for, or less; and other roles of the device at once",
            ApproveAsync,
            Id,
            OperatorCommand.ScopesOption,
            Also,
            GrantEnd.UntilOption,
            GrantEnd.ForOption),
        OperatorCommand.New("reject", "Reject a request", RejectAsync, Id),
        WatchCommand.Build(),
    };

    public static Task<RequestView> GetAsync(AdminClient client, string id, CancellationToken cancellationToken) =>
        client.GetAsync($"{Path}/{id}", AdminJson.Answer<RequestView>(), cancellationToken);

    public static Task<IReadOnlyList<RequestView>> ListAsync(AdminClient client, CancellationToken cancellationToken, string query = "") =>
        client.ListAsync(Path + query, AdminJson.Answer<PageView<RequestView>>(), cancellationToken);

    public static Task<DeviceView> ApproveAsync(AdminClient client, string id, ApprovalBody approval, CancellationToken cancellationToken) => client.ChangeAsync(
        HttpMethod.Post, $"{Path}/{id}/approve", AdminClient.Json(approval, AdminJson.Body<ApprovalBody>()), AdminJson.Answer<DeviceView>(), cancellationToken);

    public static Task<RequestView> RejectAsync(AdminClient client, string id, CancellationToken cancellationToken) =>
        client.ChangeAsync(HttpMethod.Post, $"{Path}/{id}/reject", body: null, AdminJson.Answer<RequestView>(), cancellationToken);

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken) => OperatorCommand.PrintList(
        parsed,
        [.. (await ListAsync(client, cancellationToken, OperatorCommand.AudienceQuery(parsed))).GroupBy(r => r.DeviceId).SelectMany(ofDevice => ofDevice)],
        AdminJson.Answer<PageView<RequestView>>(indented: true),
        "Nothing waits for approval.",
        ["REQUEST", "DEVICE", "NAME", "ROLE", "SCOPES (+ NEW)", "REASON", "FROM", "EXPIRES"],
        r =>
        [
            r.Id.ToString(),
            r.DeviceId.Fingerprint,
            Tables.Name(r.Client),
            RequestText.KeyOf(r).ToString(),
            RequestText.Scopes(r),
            r.Reason.ToWireName(),
            RequestText.From(r),
            Tables.In(r.ExpiresAt),
        ]);

    /// <summary>The other open requests of a request's device.</summary>
    internal static async Task<RequestView[]> OthersAsync(AdminClient client, RequestView request, CancellationToken cancellationToken) =>
        [.. (await ListAsync(client, cancellationToken)).Where(r => r.DeviceId == request.DeviceId && r.Id != request.Id)];

    private static async Task ShowAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        RequestView request = await GetAsync(client, await ResolveAsync(client, parsed, cancellationToken), cancellationToken);
        RequestView[] others = await OthersAsync(client, request, cancellationToken);
        OperatorCommand.Print(parsed, request, AdminJson.Answer<RequestView>(indented: true), () => Tables.Write(RequestText.Of(request, others)));
    }

    private static async Task ApproveAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        var approval = new ApprovalBody
        {
            Scopes = OperatorCommand.ReadScopes(parsed)!,
            Until = GrantEnd.Read(parsed, TimeProvider.System)!,
            Also = ReadAlso(parsed)!,
        };
        string id = await ResolveAsync(client, parsed, cancellationToken, MinApproved);
        DeviceView device = await ApproveAsync(client, id, approval, cancellationToken);
        OperatorCommand.Print(parsed, device, AdminJson.Answer<DeviceView>(indented: true), () =>
        {
            Console.Out.WriteLine($"Approved. Device {device.Id} may now connect as");
            foreach ((GrantKey key, Grant grant) in device.Grants)
                Console.Out.WriteLine($"  {key}: {Tables.Grant(grant)}");
        });
    }

    private static async Task RejectAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        RequestView request = await RejectAsync(client, await ResolveAsync(client, parsed, cancellationToken), cancellationToken);
        OperatorCommand.Print(parsed, request, AdminJson.Answer<RequestView>(indented: true), () => Console.Out.WriteLine(
            $"Rejected. Device {request.DeviceId} does not become {PlainText.Of(RequestText.KeyOf(request).ToString())} with {Tables.Scopes(request.Scopes)}."));
    }

    // The role ends at the first colon: of roles and scopes, only scopes are known to have one.
    private static Dictionary<string, ScopeSet>? ReadAlso(ParseResult parsed)
    {
        if (parsed.GetValue(Also) is not { Length: > 0 } given)
            return null;
        var also = new Dictionary<string, ScopeSet>(StringComparer.Ordinal);
        foreach (string text in given)
        {
            string role = text.Split(':')[0];
            if (!ScopeSet.IsValidName(role))
                throw new CommandFailedException(ExitCodes.Usage, $"'{role}' is no role: {OperatorCommand.Names}");
            ScopeSet scopes = OperatorCommand.ScopesIn(text.Length == role.Length ? "" : text[(role.Length + 1)..]);
            also[role] = also.GetValueOrDefault(role, ScopeSet.Empty).Union(scopes);
        }

        return also;
    }

    // A whole id is sent unchanged, so that the gateway can distinguish a resolved request from an unknown one; the list has only open
    // ones.
    private static async Task<string> ResolveAsync(
        AdminClient client, ParseResult parsed, CancellationToken cancellationToken, int minLength = IdPrefix.MinLength)
    {
        string id = parsed.GetRequiredValue(Id);
        return RequestId.TryParse(id, out _)
            ? id
            : IdPrefix.Resolve(id, "request", "requests list", (await ListAsync(client, cancellationToken)).Select(r => r.Id.ToString()), minLength);
    }
}
