using System.Net;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.Forwarding;

/// <summary>Builds and runs the forwarder: Kestrel on loopback, and YARP's forwarder to the gateways.</summary>
internal static partial class ForwardHost
{
    private const uint OnlyOwner = 0b001_111_111; // umask 0177: a socket of mode 0600

    /// <summary>Runs until a signal ends it.</summary>
    /// <exception cref="IOException">It cannot listen.</exception>
    public static async Task RunAsync(IReadOnlyList<ForwardListener> listeners, ForwardToken? token, LocalUsers users)
    {
        await using WebApplication app = Build(listeners, token, users);
        await StartAsync(app, listeners);
        ICollection<string> addresses = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses;
        foreach ((ForwardListener listener, string address) in listeners.Zip(addresses))
        {
            listener.Watch.Name = address;
            await Console.Error.WriteLineAsync($"{address} is forwarded to {listener.Target.Url}");
        }

        CancellationToken stopping = app.Lifetime.ApplicationStopping;
        await Task.WhenAll([.. listeners.Select(listener => listener.Watch.RunAsync(stopping)), app.WaitForShutdownAsync(CancellationToken.None)]);
    }

    // Nothing of the folder's appsettings.json or of the environment: they could have it listen elsewhere.
    private static WebApplication Build(IReadOnlyList<ForwardListener> listeners, ForwardToken? token, LocalUsers users)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;

            // Streams may be of any length and pace; both their ends are the user's own.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            foreach (ForwardListener listener in listeners)
                Listen(kestrel, listener, users);
        });
        builder.Services.AddHttpForwarder();
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = TimeSpan.FromSeconds(1)); // streams do not end by themselves
        WebApplication app = builder.Build();
        app.Run(new ForwardRequests(app.Services.GetRequiredService<IHttpForwarder>(), token).InvokeAsync);
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, ForwardListener listener, LocalUsers users)
    {
        ForwardAddress address = listener.Target.Address;
        if (address.SocketPath is { } path)
            kestrel.ListenUnixSocket(path, Configure);
        else
            kestrel.Listen((IPEndPoint)address.EndPoint, Configure);

        void Configure(ListenOptions options)
        {
            options.Protocols = address.IsHttp2 ? HttpProtocols.Http2 : HttpProtocols.Http1;
            options.Use(next => connection =>
            {
                if (!users.Allows(connection))
                {
                    connection.Abort(new ConnectionAbortedException("The connection is another user's."));
                    return Task.CompletedTask;
                }

                connection.Features.Set(listener);
                return next(connection);
            });
        }
    }

    // A socket has the right mode from the beginning; the mask is the whole process's, which does nothing else yet.
    private static async Task StartAsync(WebApplication app, IReadOnlyList<ForwardListener> listeners)
    {
        bool hasSockets = false;
        foreach (string path in listeners.Select(listener => listener.Target.Address.SocketPath).OfType<string>())
        {
            hasSockets = true;
            AbandonedSocket.Remove(path);
        }

        if (!hasSockets)
        {
            await app.StartAsync();
            return;
        }

        uint before = SetMask(OnlyOwner);
        try
        {
            await app.StartAsync();
        }
        finally
        {
            _ = SetMask(before);
        }
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);
}
