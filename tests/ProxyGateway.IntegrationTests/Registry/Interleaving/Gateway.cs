using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>A gateway's registry, and the operations of those who use it.</summary>
internal sealed class Gateway(IDeviceStore store, History history, Func<Task<Fate>>? turn, Func<Task<DateTimeOffset>> nowAsync, Func<Task> passAsync)
{
    private static readonly CancellationToken None = CancellationToken.None;

    public async Task DoAsync(Operation operation)
    {
        Performance performance = history.Begin(operation);
        var registry = new DeviceRegistry(new RecordingStore(store, turn, nowAsync) { By = performance });
        (PairingRequest Request, DateTimeOffset At)[] told = [.. history.Told];
        if (operation.Kind is OperationKind.Approve or OperationKind.ApprovePart or OperationKind.Reject or OperationKind.Find)
        {
            if (told.Length == 0)
                return;
            performance.Request = told[^(1 + (operation.Pick % told.Length))].Request.Id;
        }

        performance.Acknowledged = operation.Kind switch
        {
            OperationKind.Connect => Connected(performance, await registry.AdmitAsync(performance.Claim, performance.Origin, history.Rules, None)),
            OperationKind.Approve => IsDone(await registry.ApproveAsync(performance.Request!.Value, scopes: null, performance.Operator, history.Rules, None)),
            OperationKind.ApprovePart =>
                IsDone(await registry.ApproveAsync(performance.Request!.Value, operation.Scopes, performance.Operator, history.Rules, None)),
            OperationKind.Reject => IsDone(await registry.RejectAsync(performance.Request!.Value, performance.Operator, history.Rules, None)),
            OperationKind.SetGrant => IsDone(await registry.SetGrantAsync(
                performance.Claim.Device, operation.Role.InDefault(), operation.Scopes, performance.Operator, history.Rules, None)),
            OperationKind.TakeGrant => IsDone(await registry.SetGrantAsync(
                performance.Claim.Device, operation.Role.InDefault(), scopes: null, performance.Operator, history.Rules, None)),
            OperationKind.Remove => await registry.RemoveAsync(performance.Claim.Device, performance.Operator, history.Rules, None),
            OperationKind.Block => IsDone(await registry.ChangeAsync(
                performance.Claim.Device, new DeviceChange.Block(Reason: null), performance.Operator, history.Rules, None)),
            OperationKind.Unblock => IsDone(await registry.ChangeAsync(
                performance.Claim.Device, new DeviceChange.Unblock(), performance.Operator, history.Rules, None)),
            OperationKind.Find => await FindAsync(registry, told.Last(t => t.Request.Id == performance.Request)),
            OperationKind.List => await ListAsync(registry),
            _ => await PassAsync(),
        };
    }

    /// <summary>A request that a device was told of is found by its id for as long as it must be readable.</summary>
    public async Task<bool> FindAsync(DeviceRegistry registry, (PairingRequest Request, DateTimeOffset At) told)
    {
        PairingRequest? found = await registry.FindRequestAsync(told.Request.Id, None);
        bool mustBeReadable = told.Request.Status == PairingRequestStatus.Open && await nowAsync() < told.At + history.Rules.Lifetimes.Request;
        if (found is null)
            mustBeReadable.ShouldBeFalse($"a device was told of request {told.Request.Id}, and nobody finds it");
        else
            found.ShouldSatisfyAllConditions(
                () => found.DeviceId.ShouldBe(told.Request.DeviceId), () => found.Role.ShouldBe(told.Request.Role), () => found.Scopes.ShouldBe(told.Request.Scopes));
        return false;
    }

    private static bool IsDone(Decision? decision) => decision?.Outcome == DecisionOutcome.Done;

    private static async Task<bool> ListAsync(DeviceRegistry registry)
    {
        await registry.ListDevicesAsync(cursor: null, 100, None);
        await registry.ListOpenRequestsAsync(cursor: null, 100, None);
        return false;
    }

    private bool Connected(Performance performance, Admission admission)
    {
        PairingPolicy policy = history.Rules.Policy;
        switch (admission)
        {
            case Admission.Admitted admitted:
                policy.Admits(admitted.Record, performance.Claim).ShouldBeTrue("whoever is admitted is covered, and not blocked");
                return admitted.Rule is not null;
            case Admission.Refused refused:
                policy.Uncovered(refused.Record, performance.Claim).ShouldBe(refused.Reason);
                history.Told.Enqueue((refused.Request, performance.Reads[^1].Now));
                return refused.IsNew;
            case Admission.Blocked:
                performance.Reads[^1].Record!.Block.ShouldNotBeNull();
                return false;
            default:
                return false;
        }
    }

    private async Task<bool> PassAsync()
    {
        await passAsync();
        return false;
    }
}
