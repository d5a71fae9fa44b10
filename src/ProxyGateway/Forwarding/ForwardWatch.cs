using System.Threading.Channels;
using ProxyGateway.Connecting;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Forwarding;

/// <summary>
/// Whether the gateway lets the device in: says each change on the standard error, in one line, and asks until it does. A request that passes tells as well, so
/// nobody waits for the next question.
/// </summary>
internal sealed class ForwardWatch(ForwardTarget target, string fingerprint)
{
    private const string LetIn = "the gateway lets this device in";
    private static readonly TimeSpan AtLeast = TimeSpan.FromSeconds(1); // a client that tries all the time must not make it ask as often
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(30); // a person has to do something first

    private readonly Channel<bool> _doubts = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock _lock = new();
    private string? _said;

    /// <summary>Where this listener is reached; known once it listens.</summary>
    public string Name { get; set; } = "";

    /// <summary>Asks at the start, whenever there is a doubt, and until the device is let in.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan? pause = await AskAsync(cancellationToken);
            await Task.Delay(AtLeast, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            if (pause is { } span)
                wait.CancelAfter(span);
            try
            {
                await _doubts.Reader.ReadAsync(wait.Token);
            }
            catch (OperationCanceledException)
            {
                // It is time to ask again, or to end.
            }
        }
    }

    /// <summary>An answer has come.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="problem">The gateway's refusal; null if it is the agent's answer.</param>
    public void Saw(int status, GateProblem? problem)
    {
        if (problem is null && status < StatusCodes.Status500InternalServerError)
            Say(LetIn);
        else if (problem?.Code is GateProblem.PairingRequired or "device_proof_required" or "pairing_rejected" or "device_blocked")
            Doubt();
    }

    /// <summary>A request or stream has failed.</summary>
    public void Doubt() => _doubts.Writer.TryWrite(true);

    /// <summary>After what time to ask again; null: not before there is a doubt.</summary>
    private async Task<TimeSpan?> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            ProofAnswer answer = await target.Probe.AskAsync(cancellationToken);
            target.UseHeader(target.Probe.Header);
            if (answer.IsAdmitted)
            {
                Say(LetIn);
                return null;
            }

            return Refused(answer);
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException)
        {
            Say($"the gateway cannot be reached ({PlainText.Of(Authorities.WhyUnreachable(e))}); requests get 503 until it answers");
            return Soon;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private TimeSpan Refused(ProofAnswer answer)
    {
        if (answer.Problem is not { } problem)
        {
            Say(answer.IsOfProofRoute ? $"the gateway answers {answer.Status}" : $"the answer is {answer.Status}, and no proof is wanted there; is the URL right?");
            return Later;
        }

        string what = PlainText.Of($"{problem.Title} {problem.Detail}");
        Say(problem.RequestId is { } request ? $"{what} (request {PlainText.Of(request)}; this device's fingerprint: {fingerprint})" : what);
        return problem.IsRetryable == false ? Later : Soon;
    }

    private void Say(string what)
    {
        lock (_lock)
        {
            if (_said == what)
                return;
            _said = what;
        }

        Console.Error.WriteLine($"{Name} -> {target.Url}: {what}");
    }
}
