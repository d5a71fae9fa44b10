using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
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

        DeviceClaim claim = Some.Claim("operator", "operator.read");
        RequestId id = (await registry.AdmitAsync(claim, Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;
        (await registry.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem();
        (await registry.ApproveAsync(id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await registry.AdmitAsync(claim, Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await registry.AdmitAsync(claim, Some.Loopback, Some.Rules, new UseOnce("a", UseOnce.Longest), None)).ShouldBeOfType<Admission.Admitted>();
        (await registry.AdmitAsync(claim, Some.Loopback, Some.Rules, new UseOnce("b", UseOnce.Longest), None)).ShouldBeOfType<Admission.Admitted>();
        var shared = new SharedDocument("keys", "a", "1"u8.ToArray(), DateTimeOffset.UtcNow.AddMinutes(5));
        (await store.SwapAsync(previousVersion: null, shared, None)).ShouldBeTrue();
        (await store.SwapAsync(shared.Version, new SharedDocument("keys", "a", "2"u8.ToArray(), shared.ExpiresAt), None)).ShouldBeTrue();
        (await store.ListAsync("keys", None)).Items.ShouldHaveSingleItem();
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
    [InlineData("password=hunter2,user=gatewey")]
    [InlineData("password=hunter3")]
    [InlineData("")]
    public async Task A_wrong_password_is_reported_and_not_quoted(string configuration)
    {
        await using RedisServer server = await RedisServer.StartAsync(started: true, ["--requirepass", "hunter2"]);

        await ShouldRefuseAsync($"{server.EndPoint},{configuration}", RegistryFault.PasswordRefused, "Redis refuses the user or the password.");
    }

    [Fact]
    public async Task A_certificate_of_an_unknown_authority_is_not_trusted()
    {
        await using RedisServer server = await RedisServer.StartAsync(started: true, [.. _tls.Settings, "--requirepass", "hunter2"]);

        await ShouldRefuseAsync($"{server.EndPoint},ssl=true,password=hunter2", RegistryFault.CertificateRefused, "Redis is not trusted: ");
    }

    [Fact]
    public async Task A_Redis_that_requires_a_client_certificate_is_reported()
    {
        string[] settings = [.. _tls.Settings];
        settings[^1] = "yes"; // --tls-auth-clients
        await using RedisServer server = await RedisServer.StartAsync(started: false, settings);
        await server.BeginRestartAsync();
        await Eventually.HoldsAsync(() => ListensAsync(server), "Redis listens"); // it answers nobody without a certificate
        Environment.SetEnvironmentVariable(TrustedIssuer, _tls.AuthorityPath);

        await ShouldRefuseAsync($"{server.EndPoint},ssl=true", RegistryFault.CertificateRefused, "Redis refuses the gateway's certificate");
    }

    [Fact]
    public async Task An_unreachable_Redis_and_a_refusing_one_are_reported_differently()
    {
        await using RedisServer server = await RedisServer.StartAsync(started: false, ["--requirepass", "hunter2"]);
        using ILoggerFactory loggers = Loggers();
        await using RedisDeviceStore store = Open($"{server.EndPoint},password=hunter3", loggers);
        await SaysAsync(store, RegistryFault.NotReachable);
        await Eventually.HoldsAsync(() => Task.FromResult(_log.Of(4).Any()), "the log says that Redis is away");
        _log.Of(4).ShouldHaveSingleItem().ShouldContain("Redis is not reachable.");

        await server.RestartAsync();
        await SaysAsync(store, RegistryFault.PasswordRefused);
        _log.Of(4).ShouldContain(line => line.Contains("Redis refuses the user or the password."));

        await using ConnectionMultiplexer behind = await ConnectionMultiplexer.ConnectAsync($"{server.EndPoint},password=hunter2,allowAdmin=true");
        await behind.GetServer(server.EndPoint).ConfigSetAsync("requirepass", "hunter3");
        await Eventually.HoldsAsync(() => AnswersAsync(store), "the password is right now");
    }

    [Fact]
    public async Task The_error_names_a_right_that_the_user_lacks()
    {
        await using RedisServer server = await RedisServer.StartAsync(
            started: true, ["--user", "gateway", "on", ">hunter2", .. LeastPrivilege, "-evalsha", "-eval"]);
        using ILoggerFactory loggers = Loggers();
        await using RedisDeviceStore store = Open($"{server.EndPoint},user=gateway,password=hunter2", loggers);

        RegistryUnavailableException e = await Should.ThrowAsync<RegistryUnavailableException>(async () => await store.GetAsync(Some.Claim().Device, None));

        e.Message.ShouldStartWith("Redis refuses: NOPERM");
        e.Message.ShouldContain("'evalsha'");
    }

    /// <summary>However the attempts to connect fall, the cause is told: once in the log, and with every failure from then on.</summary>
    private async Task ShouldRefuseAsync(string configuration, RegistryFault fault, string reason)
    {
        using ILoggerFactory loggers = Loggers();
        foreach (int timeout in (int[])[20, 300, 5000])
        {
            _log.Clear();
            await using RedisDeviceStore store = Open(configuration, loggers, timeout: TimeSpan.FromMilliseconds(timeout));
            await SaysAsync(store, fault);
            await Eventually.HoldsAsync(() => Task.FromResult(_log.Of(4).Any()), "the log says that Redis is away");
            for (int i = 0; i < 50; i++)
            {
                RegistryUnavailableException e = await Should.ThrowAsync<RegistryUnavailableException>(async () => await store.GetAsync(Some.Claim().Device, None));
                e.Message.ShouldStartWith(reason);
                e.Fault.ShouldBe(fault);
                e.ToString().ShouldNotContain("hunter");
                await Task.Delay(1); // attempts to connect go on meanwhile
            }

            _log.Of(4).ShouldHaveSingleItem().ShouldStartWith("Redis cannot be reached yet. " + reason);
            _log.Lines.ShouldAllBe(line => !line.Text.Contains("hunter"));
        }
    }

    private static async Task SaysAsync(RedisDeviceStore store, RegistryFault fault) => await Eventually.HoldsAsync(
        async () => (await Should.ThrowAsync<RegistryUnavailableException>(async () => await store.GetAsync(Some.Claim().Device, None))).Fault == fault,
        $"it says {fault}");

    private static async Task<bool> ListensAsync(RedisServer server)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPEndPoint.Parse(server.EndPoint));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task<bool> AnswersAsync(RedisDeviceStore store)
    {
        try
        {
            await store.PingAsync(None);
            return true;
        }
        catch (RegistryUnavailableException)
        {
            return false;
        }
    }

    private ILoggerFactory Loggers() => LoggerFactory.Create(logging => logging.AddProvider(_log));

    private static RedisDeviceStore Open(string configuration, ILoggerFactory loggers, int waitForReplicas = 0, TimeSpan? timeout = null) => new(
        new RedisStoreOptions { Configuration = configuration, Timeout = timeout ?? TimeSpan.FromSeconds(5), WaitForReplicas = waitForReplicas },
        loggers.CreateLogger<RedisDeviceStore>());

    private static string[] ReadLeastPrivilege([CallerFilePath] string here = "")
    {
        string page = File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "../../../docs/redis.md"));
        string user = page.Split("ACL SETUSER gateway ")[1].Split("```")[0];
        return [.. user.Split([' ', '\n', '\\'], StringSplitOptions.RemoveEmptyEntries).Where(word => word is not "on" && word[0] != '>')];
    }
}
