using Microsoft.AspNetCore.Builder;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What a program adds to the operators' listener, which is an application of its own: bounds of the server, or endpoints that were handed to it.</summary>
/// <param name="Configure">Adds to that application's services and server, before it is built.</param>
/// <param name="BringsEndpoints">Whether that gives it something to listen on, instead of <see cref="AdminOptions.Url"/>.</param>
public sealed record AdminListenerSetup(Action<WebApplicationBuilder> Configure, bool BringsEndpoints = false);
