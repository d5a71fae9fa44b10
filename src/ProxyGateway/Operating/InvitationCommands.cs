using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway invite</c> and <c>proxygateway invitations list|withdraw</c></summary>
internal static class InvitationCommands
{
    private const string Path = "admin/v1/invitations";
    private const int MinWithdrawn = 8;

    private static readonly Argument<string?> Address = new("address")
    {
        Description = "The agent's address, as devices reach it; without it, the gateway's first public origin",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = _ => null,
    };

    private static readonly Argument<string> Id = new("id") { Description = "The invitation's id, or its beginning" };
    private static readonly Option<string> Role = new("--role") { Description = "The role that it grants; without it, client", HelpName = "role", DefaultValueFactory = _ => "client" };
    private static readonly Option<int> Uses = new("--uses") { Description = "How often it can be used, up to 1000; without it, once", HelpName = "count", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> Expires = new("--expires") { Description = "For how long it can be used, as in 10m (which it is without this), 8h or 7d", HelpName = "while" };

    public static Command BuildInvite() => OperatorCommand.New(
        "invite",
        "Approve a device in advance: a device with the printed address gets the grant, without an operator",
        InviteAsync,
        Address,
        OperatorCommand.AudienceOption,
        Role,
        OperatorCommand.ScopesOption,
        GrantEnd.ForOption,
        Uses,
        Expires);

    public static Command Build() => new("invitations", "Approvals in advance")
    {
        OperatorCommand.New("list", "Those that have not expired, newest first", ListAsync),
        OperatorCommand.New("withdraw", "Make one useless; devices that used it stay", WithdrawAsync, Id),
    };

    private static async Task InviteAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string? given = parsed.GetValue(Address);
        if (given is not null && !IsAddress(given))
            throw new CommandFailedException(ExitCodes.Usage, $"'{given}' is no address of http or https without a fragment");
        var body = new InvitationBody
        {
            Audience = OperatorCommand.ReadAudience(parsed, OperatorCommand.AudienceOption)!,
            Role = parsed.GetValue(Role)!,
            Scopes = OperatorCommand.ReadScopes(parsed)!,
            GrantSeconds = Seconds(parsed.GetValue(GrantEnd.ForOption))!,
            Uses = parsed.GetValue(Uses),
            ValidSeconds = Seconds(parsed.GetValue(Expires))!,
        };
        InvitationView made = await client.ChangeAsync(
            HttpMethod.Post, Path, AdminClient.Json(body, AdminJson.Body<InvitationBody>()), AdminJson.Answer<InvitationView>(), cancellationToken);
        OperatorCommand.Print(parsed, made, AdminJson.Answer<InvitationView>(indented: true), () => Show(made, given));
    }

    private static void Show(InvitationView made, string? given)
    {
        string key = new GrantKey(made.Audience ?? Audience.Default, made.Role).ToString();
        Console.Out.WriteLine($"A device with this address becomes {key} with {Tables.Scopes(made.Scopes)}{Lasts(made)}, {Times(made.Uses)}, until {Tables.Time(made.ExpiresAt)}:");
        Console.Out.WriteLine();
        Console.Out.WriteLine("  " + AddressOf(made, given));
        Console.Out.WriteLine();
        if (given is not null)
            QrCode.Print(AddressOf(made, given));
        if (given is null)
            Console.Out.WriteLine("Put the agent's path between the host and the #, unless every path of the gateway leads to it.");
        Console.Out.WriteLine("On the device: proxygateway pair '<address>'");
        Console.Out.WriteLine($"To take it back: proxygateway invitations withdraw {made.Id[..MinWithdrawn]}");
    }

    // The secret is in the fragment, which no client sends and no proxy logs.
    private static string AddressOf(InvitationView made, string? given) =>
        $"{given ?? (made.Origin ?? "https://<gateway>") + "/"}#invitation={made.Secret}&role={Uri.EscapeDataString(made.Role)}&scopes={string.Join(',', made.Scopes.Select(Uri.EscapeDataString))}";

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken) => OperatorCommand.PrintList(
        parsed,
        await ListAsync(client, cancellationToken),
        AdminJson.Answer<PageView<InvitationView>>(indented: true),
        "Nobody is invited.",
        ["INVITATION", "GRANTS", "FOR", "USED", "BY", "EXPIRES"],
        i =>
        [
            i.Id[..MinWithdrawn],
            $"{new GrantKey(i.Audience ?? Audience.Default, i.Role)}: {Tables.Scopes(i.Scopes)}",
            i.GrantSeconds is { } seconds ? GrantEnd.Text(TimeSpan.FromSeconds(seconds)) : "-",
            $"{i.Used} of {i.Uses}",
            i.CreatedBy,
            Tables.In(i.ExpiresAt),
        ]);

    private static async Task WithdrawAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = IdPrefix.Resolve(
            parsed.GetRequiredValue(Id), "invitation", "invitations list", (await ListAsync(client, cancellationToken)).Select(i => i.Id), IdPrefix.MinLength);
        await client.DeleteAsync($"{Path}/{id}", cancellationToken);
        OperatorCommand.Print(
            parsed, new WithdrawnInvitation(id, Withdrawn: true), ClientJsonContext.Default.WithdrawnInvitation, () => Console.Out.WriteLine($"Invitation {id} is withdrawn."));
    }

    private static Task<IReadOnlyList<InvitationView>> ListAsync(AdminClient client, CancellationToken cancellationToken) =>
        client.ListAsync(Path, AdminJson.Answer<PageView<InvitationView>>(), cancellationToken);

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https" or "ws" or "wss" && address.Fragment.Length == 0 && address.UserInfo.Length == 0;

    private static int? Seconds(string? span) => span is null ? null : (int)Math.Min(int.MaxValue, GrantEnd.ReadSpan(span).TotalSeconds);

    private static string Lasts(InvitationView made) => made.GrantSeconds is { } seconds ? $" for {GrantEnd.Text(TimeSpan.FromSeconds(seconds))}" : "";

    private static string Times(int uses) => uses == 1 ? "once" : $"{uses} times";
}
