using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>A Redis that wants TLS, a password, or a user, and lets that user do no more than a gateway has to.</summary>
public sealed class RedisAccessTests : IDisposable
{
    private const string TrustedIssuer = "SERedis_IssuerCertPath"; // how the client library is told of a private authority

    // From the documentation, so that what it says is enough.
    private static readonly string[] LeastPrivilege = ReadLeastPrivilege();

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TlsFiles _tls = new();
    private readonly CapturedLog _log = new();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(TrustedIssuer, null);
        _tls.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task A_user_with_least_privilege_does_all_that_a_gateway_does_over_TLS()
    {
        await using RedisServer server = await RedisServer.StartAsync(
            started: true, [.. _tls.Settings, "--user", "default", "off", "--user", "gateway", "on", ">hunter2", .. LeastPrivilege]);
        Environment.SetEnvironmentVariable(TrustedIssuer, _tls.AuthorityPath);
        using ILoggerFactory loggers = Loggers();
        await using RedisDeviceStore store = Open($"{server.EndPoint},ssl=true,user=gateway,password=hunter2", loggers);
        await using RedisDeviceStore waiting = Open($"{server.EndPoint},ssl=true,user=gateway,password=hunter2", loggers, waitForReplicas: 1);
        var registry = new DeviceRegistry(store);

        Claim claim = Some.Claim("operator", "operator.read");
        RequestId id = (await registry.AdmitAsync(claim, Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;
        (await registry.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem();
        (await registry.ApproveAsync(id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await registry.AdmitAsync(claim, Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await registry.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem();
        id = (await registry.AdmitAsync(claim.Asking("node"), Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;
        (await registry.RejectAsync(id, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        await registry.PingAsync(None);
        (await store.GetVersionsAsync([claim.Device], None))[claim.Device].ShouldNotBeNull();
        await store.NoteSeenAsync([new SeenDevice(claim.Device, DateTimeOffset.UtcNow)], None);
        (await registry.FindAsync(claim.Device, None))!.LastSeenAt.ShouldNotBeNull();
        await store.AppendAsync(new AuditBatch("gateway", 1, [new AuditEntry { Kind = AuditKinds.DeviceAdmitted }]), None);
        (await store.ListAsync(new AuditFilter(), before: null, 10, None)).Items.ShouldHaveSingleItem();
        (await store.ReadAfterAsync(0, 10, None)).Items.ShouldHaveSingleItem();
        RegistryUnavailableException unconfirmed = await Should.ThrowAsync<RegistryUnavailableException>(async () =>
            await new DeviceRegistry(waiting).RemoveAsync(claim.Device, Some.Operator, Some.Rules, None));

        unconfirmed.InnerException.ShouldBeNull("it has no replica, and may ask");
        unconfirmed.ChangeWasMade.ShouldBeTrue();
        (await registry.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        _log.Lines.ShouldBeEmpty();
        await foreach (Announcement first in store.ListenAsync(None))
        {
            first.ShouldBeOfType<Announcement.Resumed>();
            break;
        }

        await using ConnectionMultiplexer behind = await ConnectionMultiplexer.ConnectAsync($"{server.EndPoint},ssl=true,user=gateway,password=hunter2");
        await behind.GetDatabase().StringSetAsync($"pg:{{{claim.Device}}}", "no document");
        (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("password=hunter2,user=gatewey", "Redis refuses the user or the password.")]
    [InlineData("password=hunter3", "Redis refuses the user or the password.")]
    [InlineData("", "Redis refuses the user or the password.")]
    public async Task A_wrong_password_is_said_to_be_wrong_and_not_repeated(string configuration, string reason)
    {
        await using RedisServer server = await RedisServer.StartAsync(started: true, ["--requirepass", "hunter2"]);

        await ShouldRefuseAsync($"{server.EndPoint},{configuration}", reason);
    }

    [Fact]
    public async Task A_certificate_of_an_unknown_authority_is_not_trusted()
    {
        await using RedisServer server = await RedisServer.StartAsync(started: true, [.. _tls.Settings, "--requirepass", "hunter2"]);

        await ShouldRefuseAsync($"{server.EndPoint},ssl=true,password=hunter2", "Redis is not trusted: ");
    }

    [Fact]
    public async Task A_right_that_the_user_lacks_is_named()
    {
        await using RedisServer server = await RedisServer.StartAsync(
            started: true, ["--user", "gateway", "on", ">hunter2", .. LeastPrivilege, "-evalsha", "-eval"]);
        using ILoggerFactory loggers = Loggers();
        await using RedisDeviceStore store = Open($"{server.EndPoint},user=gateway,password=hunter2", loggers);

        RegistryUnavailableException e = await Should.ThrowAsync<RegistryUnavailableException>(async () => await store.GetAsync(Some.Claim().Device, None));

        e.Message.ShouldStartWith("Redis refuses: NOPERM");
        e.Message.ShouldContain("'evalsha'");
    }

    private async Task ShouldRefuseAsync(string configuration, string reason)
    {
        using ILoggerFactory loggers = Loggers();
        await using RedisDeviceStore store = Open(configuration, loggers);
        await Eventually.HoldsAsync(() => Task.FromResult(_log.Of(4).Any()), "the log says that Redis is away");

        _log.Of(4).ShouldHaveSingleItem().ShouldStartWith("Redis cannot be reached yet. "); // with the reason, unless the library has none to give
        await Eventually.HoldsAsync(
            async () =>
            {
                RegistryUnavailableException e = await Should.ThrowAsync<RegistryUnavailableException>(async () => await store.GetAsync(Some.Claim().Device, None));
                e.ToString().ShouldNotContain("hunter");
                return e.Message.StartsWith(reason, StringComparison.Ordinal)
                    || e.Message.StartsWith("Redis cannot be used.", StringComparison.Ordinal); // the library has the reason for the first failure only
            },
            "the reason is given");
        _log.Lines.ShouldAllBe(line => !line.Text.Contains("hunter"));
    }

    private ILoggerFactory Loggers() => LoggerFactory.Create(logging => logging.AddProvider(_log));

    private static RedisDeviceStore Open(string configuration, ILoggerFactory loggers, int waitForReplicas = 0) => new(
        new RedisStoreOptions { Configuration = configuration, Timeout = TimeSpan.FromSeconds(5), WaitForReplicas = waitForReplicas },
        loggers.CreateLogger<RedisDeviceStore>());

    private static string[] ReadLeastPrivilege([CallerFilePath] string here = "")
    {
        string page = File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "../../../docs/redis.md"));
        string user = page.Split("ACL SETUSER gateway ")[1].Split("```")[0];
        return [.. user.Split([' ', '\n', '\\'], StringSplitOptions.RemoveEmptyEntries).Where(word => word is not "on" && word[0] != '>')];
    }
}
