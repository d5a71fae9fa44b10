using System.Net.WebSockets;
using SampleAgent;

// A tiny agent service that speaks as much of the OpenClaw gateway protocol as it takes to see ProxyGateway work. It checks nobody: that is
// the gateway's part, which is why it listens on the loopback address only.
WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
builder.Configuration.AddCommandLine(args);
builder.WebHost.UseKestrelCore().UseUrls(builder.Configuration["urls"] ?? "http://127.0.0.1:18789");

WebApplication app = builder.Build();
app.UseWebSockets();
app.Run(async context =>
{
    if (!context.WebSockets.IsWebSocketRequest)
    {
        await context.Response.WriteAsync("A sample agent. It speaks WebSocket.\n");
        return;
    }

    using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
    try
    {
        await new AgentConnection(socket).RunAsync(context.RequestAborted);
    }
    catch (Exception e) when (e is WebSocketException or OperationCanceledException)
    {
        Console.WriteLine("A connection was lost");
    }
});
await app.StartAsync();
Console.WriteLine($"The sample agent listens on {string.Join(' ', app.Urls)}");
await app.WaitForShutdownAsync();
