using System.CommandLine;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Operating;

/// <summary>
/// <c>proxygateway devices remove --rule</c>: in parts, each of which even a slow gateway answers in time. Finished parts stay finished:
/// after Ctrl-C or a failure the same command continues.
/// </summary>
internal static class RuleRemoval
{
    private const int AtOnce = 200;

    public static async Task RunAsync(
        AdminClient client, ParseResult parsed, string rule, bool isDryRun, CancellationToken cancellationToken)
    {
        RemovedByRuleView would = await TakeBackAsync(client, rule, isDryRun: true, _ => { }, cancellationToken);
        RemovedByRuleView done = would;
        if (!isDryRun)
        {
            OperatorCommand.Confirm(parsed, $"{would.Removed} devices are removed, and {would.Narrowed} more lose what the rule {rule} has approved.");
            done = await TakeBackAsync(client, rule, would.Removed + would.Narrowed, cancellationToken);
        }

        OperatorCommand.Print(parsed, done, AdminJson.Answer<RemovedByRuleView>(indented: true), () => Console.Out.WriteLine(
            $"{(isDryRun ? "Would be removed" : "Removed")}: {done.Removed} devices. {(isDryRun ? "Would lose" : "Lost")} only what the rule approved: {done.Narrowed}."));
        if (done.NewerFormat is { } newer)
            Console.Error.WriteLine($"{newer} devices were left as they are: a newer gateway wrote what is on record of them. Give the command at a newer gateway.");
    }

    private static async Task<RemovedByRuleView> TakeBackAsync(
        AdminClient client, string rule, int all, CancellationToken cancellationToken)
    {
        int done = 0;
        try
        {
            return await TakeBackAsync(
                client,
                rule,
                isDryRun: false,
                view =>
                {
                    done = view.Removed + view.Narrowed;
                    if (view.Next is not null)
                        Progress.Tell("devices", done, all);
                },
                cancellationToken);
        }
        catch (CommandFailedException e)
        {
            throw new CommandFailedException(e.ExitCode, $"{e.Message}. {done} of {all} devices were done before; the same command, given again, goes on");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"Stopped. {done} of {all} devices were done before; the same command, given again, goes on");
        }
    }

    /// <summary>One part after the other; reports the progress after each.</summary>
    private static async Task<RemovedByRuleView> TakeBackAsync(
        AdminClient client, string rule, bool isDryRun, Action<RemovedByRuleView> tell, CancellationToken cancellationToken)
    {
        var sum = new RemovedByRuleView(isDryRun, Removed: 0, Narrowed: 0);
        do
        {
            var body = new RemoveByRuleBody { Rule = rule, DryRun = isDryRun, Limit = AtOnce, Cursor = sum.Next! };
            RemovedByRuleView part = await client.ChangeAsync(
                HttpMethod.Post,
                "admin/v1/devices/remove-by-rule",
                AdminClient.Json(body, AdminJson.Body<RemoveByRuleBody>()),
                AdminJson.Answer<RemovedByRuleView>(),
                cancellationToken);
            sum = part with { Removed = sum.Removed + part.Removed, Narrowed = sum.Narrowed + part.Narrowed, NewerFormat = Sum(sum.NewerFormat, part.NewerFormat) };
            tell(sum);
        }
        while (sum.Next is not null);
        return sum;
    }

    private static int? Sum(int? a, int? b) => a is null ? b : a + (b ?? 0);
}
