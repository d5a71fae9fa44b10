using System.Globalization;
using System.Text;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>One connection: what the client sends and what the backend says, all of it from a seed and an index.</summary>
internal sealed class FuzzInput
{
    public const string Secret = "said by the backend before it has heard anything";

    public FuzzInput(RecordedHandshakes recorded, int seed, int index)
    {
        var random = new Random(unchecked((seed * 1_000_003) + index));
        Index = index;
        Name = string.Create(CultureInfo.InvariantCulture, $"{index}-{random.Next():x8}");
        string text = recorded.Messages[random.Next(recorded.Messages.Count)];
        byte[] message = Encoding.UTF8.GetBytes(text);
        (int ofMessage, int ofFrames, int ofRequest, int ofBackend) = random.Next(10) switch
        {
            < 1 => (0, 0, 0, 0),
            < 5 => (1 + random.Next(3), 0, 0, 0),
            < 8 => (0, 1 + random.Next(4), 0, 0),
            < 9 => (0, 0, 1 + random.Next(3), 0),
            _ => (0, 0, 0, 1 + random.Next(3)),
        };
        Request = Mutation.Of(RecordedHandshakes.Upgrade(Name), random, ofRequest);
        Frames = Mutation.Of(RecordedHandshakes.Frame(Mutation.Of(message, random, ofMessage), random), random, ofFrames);
        BackendIsHostile = ofBackend > 0;
        Challenge = Mutation.Of(
            [
                .. FrameConnection.Encode(DeviceAuth.WebSockets.Opcode.Text, Encoding.UTF8.GetBytes(Protocol.Challenge(RecordedHandshakes.Nonce)), masked: false),
                .. FrameConnection.Encode(DeviceAuth.WebSockets.Opcode.Text, Encoding.UTF8.GetBytes($$"""{"type":"event","event":"{{Secret}}"}"""), masked: false),
            ],
            random,
            ofBackend / 2);
        Hello = Mutation.Of(
            FrameConnection.Encode(DeviceAuth.WebSockets.Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1")), masked: false), random, ofBackend - (ofBackend / 2));
        Cuts = [.. Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(Frames.Length + 1)).Order(), Frames.Length];
    }

    public int Index { get; }

    /// <summary>How the request names it to the backend. No mutation of another's comes to be this one.</summary>
    public string Name { get; }

    /// <summary>The upgrade request.</summary>
    public byte[] Request { get; }

    /// <summary>What follows it once it is answered with a switch.</summary>
    public byte[] Frames { get; }

    /// <summary>Where what follows is cut into pieces.</summary>
    public IReadOnlyList<int> Cuts { get; }

    /// <summary>Whether the backend does not keep to the protocol.</summary>
    public bool BackendIsHostile { get; }

    /// <summary>What the backend says at first.</summary>
    public byte[] Challenge { get; }

    /// <summary>What it says to the first message.</summary>
    public byte[] Hello { get; }

    public override string ToString() =>
        $"request {Convert.ToHexString(Request)}\nframes {Convert.ToHexString(Frames)} cut at {string.Join(' ', Cuts)}\nchallenge {Convert.ToHexString(Challenge)}\nhello {Convert.ToHexString(Hello)}";
}
