using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary><c>proxygateway requests ...</c></summary>
internal static class RequestCommands
{
    private static readonly Argument<string> Id = new("id") { Description = "The request's id, or its beginning" };

    public static Command Build()
    {
        Command approve = OperatorCommand.New("approve", "Approve a request: all that it asks for, or less", ApproveAsync, Id);
        approve.Add(OperatorCommand.ScopesOption);
        return new Command("requests", "Devices that wait for approval")
        {
            OperatorCommand.New("list", "Open requests, newest first", ListAsync),
            approve,
            OperatorCommand.New("reject", "Reject a request", RejectAsync, Id),
        };
    }

    private static async Task ListAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        IReadOnlyList<RequestView> requests = await client.ListRequestsAsync(cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
        {
            JsonOutput.Write(new PageView<RequestView>(requests, Next: null), JsonOutput.Admin.PageViewRequestView);
            return;
        }

        if (requests.Count == 0)
        {
            Console.Out.WriteLine("Nothing waits for approval.");
            return;
        }

        Table table = Tables.New("REQUEST", "DEVICE", "NAME", "ROLE", "SCOPES", "REASON", "FROM", "EXPIRES");
        foreach (RequestView r in requests)
        {
            table.AddTextRow(
                r.Id.ToString(),
                r.DeviceId.ToString()[..16],
                Tables.Name(r.Client),
                r.Role,
                Tables.Scopes(r.Scopes),
                r.Reason.ToWireName(),
                r.Locality == LocalityKind.Loopback ? "loopback" : r.Address ?? "unknown",
                Tables.In(r.ExpiresAt));
        }

        Tables.Write(table);
    }

    private static async Task ApproveAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = await ResolveAsync(client, parsed, cancellationToken);
        DeviceView device = await client.ApproveAsync(id, OperatorCommand.ReadScopes(parsed), cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
        {
            JsonOutput.Write(device, JsonOutput.Admin.DeviceView);
            return;
        }

        Console.Out.WriteLine($"Approved. Device {device.Id} may now connect as");
        foreach ((string role, Grant grant) in device.Grants)
            Console.Out.WriteLine($"  {role}: {Tables.Scopes(grant.Scopes)}");
    }

    private static async Task RejectAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = await ResolveAsync(client, parsed, cancellationToken);
        RequestView request = await client.RejectAsync(id, cancellationToken);
        if (parsed.GetValue(OperatorCommand.JsonOption))
            JsonOutput.Write(request, JsonOutput.Admin.RequestView);
        else
            Console.Out.WriteLine($"Rejected. Device {request.DeviceId} does not become {PlainText.Of(request.Role)} with {Tables.Scopes(request.Scopes)}.");
    }

    // A whole id goes to the gateway as it is, which can tell a resolved request from an unknown one; the list has open ones only.
    private static async Task<string> ResolveAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string id = parsed.GetRequiredValue(Id);
        return RequestId.TryParse(id, out _)
            ? id
            : IdPrefix.Resolve(id, "request", "requests list", (await client.ListRequestsAsync(cancellationToken)).Select(r => r.Id.ToString()));
    }
}
