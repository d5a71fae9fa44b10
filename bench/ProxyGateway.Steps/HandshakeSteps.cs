using System.Text;
using BenchmarkDotNet.Attributes;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Steps;

/// <summary>What the gate does in a handshake of a paired device, apart from the registry: see <see cref="RegistrySteps"/>.</summary>
public class HandshakeSteps
{
    private const int MaxMessageBytes = 64 * 1024;
    private const int ReceiveSize = 4096;

    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(2);
    private static readonly Locality Loopback = new(IsLoopback: true);
    private static readonly Locality Remote = new(IsLoopback: false);

    private readonly SignedRequest _signed = new();
    private readonly PayloadVersions _versions = new();
    private readonly byte[] _challenge = Encoding.UTF8.GetBytes(
        $$$"""{"type":"event","event":"connect.challenge","payload":{"nonce":"{{{SignedRequest.Nonce}}}","ts":1764280000000}}""");

    private byte[] _frame = [];
    private byte[] _hello = [];
    private ConnectRequest _request = null!;
    private DeviceClaim _claim = null!;
    private DeviceRecord _record = null!;
    private DeviceRecord _narrower = null!;

    /// <summary>Every step has what the one before it made.</summary>
    [GlobalSetup]
    public void SetUp()
    {
        _frame = _signed.Frame;
        _request = Parse() as ConnectRequest ?? throw new InvalidOperationException("The request was refused.");
        if (ConnectProof.Verify(_request, SignedRequest.Nonce, _signed.At, Skew, _versions, out _claim) != ProofFailure.None)
            throw new InvalidOperationException("The proof does not hold.");

        var grant = new Grant { Scopes = _claim.Scopes, ApprovedAt = _signed.At, ApprovedBy = "ops" };
        _record = new DeviceRecord { Id = _claim.Device, PublicKey = _claim.PublicKey, CreatedAt = _signed.At };
        _narrower = _record with { Grants = _record.Grants.Add(_claim.Key, grant with { Scopes = ScopeSet.Of("operator.read") }) };
        _record = _record with { Grants = _record.Grants.Add(_claim.Key, grant) };
        if (Decide() is not PairingDecision.Admit || DecideUpgrade() is not PairingDecision.AutoApprove)
            throw new InvalidOperationException("The policy decides otherwise.");

        string methods = string.Join(',', Enumerable.Repeat("\"sessions.list\"", 1000));
        _hello = FrameWriter.Text(Encoding.UTF8.GetBytes(
            $$$$"""{"type":"res","id":"{{{{_request.Id}}}}","ok":true,"payload":{"type":"hello-ok","protocol":4,"features":{"methods":[{{{{methods}}}}]}}}"""));
    }

    /// <summary>The backend's challenge.</summary>
    [Benchmark]
    public string? Challenge() => DeviceAuth.Handshakes.ConnectFrame.Challenge.ReadNonce(_challenge);

    /// <summary>The request's frame: received, unmasked, found to be whole and valid UTF-8.</summary>
    [Benchmark]
    public int Message()
    {
        using var reader = new MessageReader(FrameSource.Client, MaxMessageBytes);
        _frame.CopyTo(reader.Reserve(ReceiveSize));
        reader.Received(_frame.Length);
        return reader.Next() == FrameEvent.Message ? reader.Message.Length : throw new InvalidOperationException("The message is not whole.");
    }

    /// <summary>The request, from JSON.</summary>
    [Benchmark]
    public object Parse() => ConnectRequestReader.TryRead(_signed.Message, out ConnectRequest request, out Refusal refusal) ? request : refusal;

    /// <summary>The proof: key, id, nonce, time and signature.</summary>
    [Benchmark]
    public object Verify()
    {
        _ = ConnectProof.Verify(_request, SignedRequest.Nonce, _signed.At, Skew, _versions, out DeviceClaim claim);
        return claim;
    }

    /// <summary>The part of <see cref="Verify"/> that is the signature's.</summary>
    [Benchmark]
    public bool VerifySignature() => Ed25519.Verify(_signed.PublicKey, _signed.Payload, _signed.Signature);

    /// <summary>The policy: the grant covers what is asked for.</summary>
    [Benchmark]
    public object Decide() => PairingPolicy.Default.Decide(_record, _claim, Remote);

    /// <summary>The policy: a rule approves a scope upgrade.</summary>
    [Benchmark]
    public object DecideUpgrade() => PairingPolicy.Default.Decide(_narrower, _claim, Loopback);

    /// <summary>The backend's answer, a hello of 16 KB, received in parts.</summary>
    [Benchmark]
    public bool Answer()
    {
        using var reader = new AnswerReader(_request.Id);
        var answer = BackendAnswer.None;
        for (int at = 0; at < _hello.Length; at += ReceiveSize)
        {
            answer = reader.Read(_hello.AsSpan(at, Math.Min(ReceiveSize, _hello.Length - at)));
        }

        return answer == BackendAnswer.Accepted ? true : throw new InvalidOperationException("The answer was not found.");
    }
}
