using Grpc.Core;
using Grpc.Net.Client;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>gRPC on a Proof route: HTTP/2 from end to end, with trailers.</summary>
public sealed class ProofGrpcTests : IAsyncLifetime, IDisposable
{
    private readonly ProofSigner _device = ProofSigner.WithP256();
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose() => _device.Dispose();

    [Fact]
    public async Task A_call_and_its_trailers_pass()
    {
        await _gate.PairAsync(_device);
        using GrpcChannel channel = Channel();

        using AsyncUnaryCall<string> call = channel.CreateCallInvoker().AsyncUnaryCall(EchoService.SayMethod, host: null, Options(), "hello");

        (await call).ShouldBe("hello");
        call.GetTrailers().GetValue("x-said").ShouldBe("hello");
    }

    [Fact]
    public async Task A_stream_passes_both_ways_and_a_removal_ends_it()
    {
        await _gate.PairAsync(_device);
        using GrpcChannel channel = Channel();
        using AsyncDuplexStreamingCall<string, string> talk = channel.CreateCallInvoker().AsyncDuplexStreamingCall(EchoService.TalkMethod, host: null, Options());
        foreach (string word in (string[])["one", "two"])
        {
            await talk.RequestStream.WriteAsync(word);
            (await talk.ResponseStream.MoveNext()).ShouldBeTrue();
            talk.ResponseStream.Current.ShouldBe(word);
        }

        await _gate.RemoveAsync(_device);

        RpcException ended = await Should.ThrowAsync<RpcException>(() => talk.ResponseStream.MoveNext());
        ended.StatusCode.ShouldNotBe(StatusCode.OK);
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.State.Ended == 1 && _gate.Connections.Count == 0), "it is over at the backend too");
    }

    [Fact]
    public async Task A_stream_that_its_client_ends_has_its_trailers()
    {
        await _gate.PairAsync(_device);
        using GrpcChannel channel = Channel();
        using AsyncDuplexStreamingCall<string, string> talk = channel.CreateCallInvoker().AsyncDuplexStreamingCall(EchoService.TalkMethod, host: null, Options());

        await talk.RequestStream.CompleteAsync();

        (await talk.ResponseStream.MoveNext()).ShouldBeFalse();
        talk.GetTrailers().GetValue("x-said").ShouldBe("all");
    }

    [Fact]
    public async Task A_refusal_has_a_status_that_clients_understand()
    {
        using GrpcChannel unknown = Channel();
        using GrpcChannel without = GrpcChannel.ForAddress(_gate.Http2Address);

        (await StatusAsync(unknown)).ShouldBe(StatusCode.PermissionDenied);
        (await StatusAsync(without)).ShouldBe(StatusCode.PermissionDenied);
        _gate.State.Requests.ShouldBe(0);

        async Task<StatusCode> StatusAsync(GrpcChannel channel)
        {
            using AsyncUnaryCall<string> call = channel.CreateCallInvoker().AsyncUnaryCall(EchoService.SayMethod, host: null, Options(), "hello");
            return (await Should.ThrowAsync<RpcException>(async () => await call)).StatusCode;
        }
    }

    private static CallOptions Options() => new(deadline: DateTime.UtcNow + Eventually.Patience);

    private GrpcChannel Channel() => GrpcChannel.ForAddress(
        _gate.Http2Address, new GrpcChannelOptions { HttpClient = new HttpClient(new ProofHandler(_device) { InnerHandler = new SocketsHttpHandler() }), DisposeHttpClient = true });
}
