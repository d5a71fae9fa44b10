using System.Collections.Concurrent;
using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>Who an application takes a request for: nobody before admission, and the device from then on.</summary>
public sealed class DeviceFeatureTests : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, HttpContext> _underWay = [];
    private readonly ConcurrentQueue<(string Path, string? Device, string[] Scopes, string? Name, bool IsOperator, bool HasFeature)> _accessLog = [];
    private readonly TestDevice _device = new();
    private TestGateway _gateway = null!;

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync(before: app => app.Use(async (context, next) =>
    {
        if (context.Request.Path == "/known")
            context.User = new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.Name, "ada")], "own"));
        _underWay[context.Request.Path] = context;
        await next(context);
        ClaimsPrincipal user = context.User;
        _accessLog.Enqueue((
            context.Request.Path,
            user.FindFirst(DeviceClaimTypes.DeviceId)?.Value,
            [.. user.FindAll(DeviceClaimTypes.Scope).Select(c => c.Value)],
            user.Identity?.Name,
            user.IsInRole("operator"),
            context.Features.Get<IDeviceFeature>() is not null));
    }));

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Fact]
    public async Task An_admitted_device_is_the_user_while_it_is_connected_and_in_the_access_log()
    {
        FrameConnection client = await TestClient.OpenAsync(_gateway.Port, "/agent");
        await client.ReceiveJsonAsync();
        HttpContext context = _underWay["/agent"];
        context.Features.Get<IDeviceFeature>().ShouldBeNull();
        context.User.HasClaim(c => c.Type == DeviceClaimTypes.DeviceId).ShouldBeFalse();

        await client.SendTextAsync(new Ask { Scopes = ["operator.read", "operator.write"] }.SignedBy(_device));
        (await TestClient.OutcomeAsync(client)).ShouldBeAdmitted();

        IDeviceFeature device = context.Features.Get<IDeviceFeature>().ShouldNotBeNull();
        device.Claim.Device.ShouldBe(_device.Id);
        device.ConnectionId.ShouldBe(_gateway.Services.GetRequiredService<IDeviceConnections>().List().ShouldHaveSingleItem().Id);

        await client.SendAsync(Opcode.Close, []);
        await client.ReceiveToEndAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(!_accessLog.IsEmpty), "the request is over");
        var entry = _accessLog.ShouldHaveSingleItem();
        entry.Device.ShouldBe(_device.Id.ToString());
        entry.Scopes.ShouldBe(["operator.read", "operator.write"]);
        entry.Name.ShouldBe(_device.Id.ToString());
        entry.IsOperator.ShouldBeTrue();
        entry.HasFeature.ShouldBeTrue();
    }

    [Fact]
    public async Task The_identity_of_the_applications_own_user_is_kept()
    {
        FrameConnection client = await TestClient.OpenAsync(_gateway.Port, "/known");
        await client.ReceiveJsonAsync();
        await client.SendTextAsync(new Ask().SignedBy(_device));
        (await TestClient.OutcomeAsync(client)).ShouldBeAdmitted();

        _underWay["/known"].User.Identity!.Name.ShouldBe("ada");
        _underWay["/known"].User.FindFirst(DeviceClaimTypes.DeviceId)!.Value.ShouldBe(_device.Id.ToString());
    }

    [Fact]
    public async Task A_refused_device_has_no_identity()
    {
        (await TestClient.ConnectAsync(_gateway.RemotePort, _device)).ShouldRequirePairing("not-paired");

        await Eventually.HoldsAsync(() => Task.FromResult(!_accessLog.IsEmpty), "the request is over");
        var entry = _accessLog.ShouldHaveSingleItem();
        entry.Device.ShouldBeNull();
        entry.HasFeature.ShouldBeFalse();
    }
}
