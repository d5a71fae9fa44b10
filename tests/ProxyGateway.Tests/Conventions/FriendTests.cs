using System.Reflection;
using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.Serving;

namespace ProxyGateway.Tests.Conventions;

/// <summary>Packages use each other as an application of others uses them, so that what an application needs is public.</summary>
public sealed class FriendTests
{
    private static readonly string[] TestsAndBenchmarks = ["ProxyGateway.Tests", "ProxyGateway.IntegrationTests", "ProxyGateway.Benchmarks", "ProxyGateway.Steps"];

    public static TheoryData<string> Assemblies => [.. All.Keys];

    private static Dictionary<string, Assembly> All { get; } = new[]
    {
        typeof(DeviceAuthOptions), typeof(AdminOptions), typeof(RedisStoreOptions), typeof(SqliteStoreOptions), typeof(InMemoryDeviceStore), typeof(DeviceIdentity), typeof(GatewayHost),
    }.ToDictionary(type => type.Assembly.GetName().Name!, type => type.Assembly);

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Only_tests_and_benchmarks_see_what_is_internal(string assembly) =>
        All[assembly].GetCustomAttributes<InternalsVisibleToAttribute>().Select(friend => friend.AssemblyName).ShouldBe(TestsAndBenchmarks, ignoreOrder: true);
}
