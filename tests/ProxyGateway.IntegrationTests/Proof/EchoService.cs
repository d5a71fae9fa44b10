using System.Text;
using Grpc.Core;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>A gRPC service, without generated code: its messages are text.</summary>
[BindServiceMethod(typeof(EchoService), nameof(Bind))]
public class EchoService
{
    private static readonly Marshaller<string> Text = new(Encoding.UTF8.GetBytes, Encoding.UTF8.GetString);

    public static Method<string, string> SayMethod { get; } = new(MethodType.Unary, "test.Echo", "Say", Text, Text);

    public static Method<string, string> TalkMethod { get; } = new(MethodType.DuplexStreaming, "test.Echo", "Talk", Text, Text);

    public static void Bind(ServiceBinderBase binder, EchoService? service)
    {
        ArgumentNullException.ThrowIfNull(binder);
        binder.AddMethod(SayMethod, service is null ? null! : new UnaryServerMethod<string, string>(service.Say));
        binder.AddMethod(TalkMethod, service is null ? null! : new DuplexStreamingServerMethod<string, string>(service.Talk));
    }

    public virtual Task<string> Say(string request, ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.ResponseTrailers.Add("x-said", request);
        return Task.FromResult(request);
    }

    public virtual async Task Talk(IAsyncStreamReader<string> requests, IServerStreamWriter<string> answers, ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(answers);
        await foreach (string request in requests.ReadAllAsync(context.CancellationToken))
            await answers.WriteAsync(request, context.CancellationToken);
        context.ResponseTrailers.Add("x-said", "all");
    }
}
