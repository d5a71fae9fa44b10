using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.Serving;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Serving;

public sealed class RegistryOptionsReaderTests
{
    [Fact]
    public void By_default_the_registry_is_one_file() => Read("{}").Options.ShouldBe(new RegistryOptions());

    [Fact]
    public void Every_key_is_read()
    {
        (RegistryOptions options, IReadOnlyList<string> errors) = Read("""
            { "Registry": { "Provider": "redis", "AuditEntries": 0, "AuditBytes": 2000000, "Sqlite": { "Path": "x.db" }, "Redis": { "Configuration": "redis:6379,password=p", "KeyPrefix": "other:", "Timeout": "00:00:02", "WaitForReplicas": 2 } } }
            """);

        errors.ShouldBeEmpty();
        options.ShouldBe(new RegistryOptions
        {
            Provider = RegistryProvider.Redis,
            AuditEntries = 0,
            AuditBytes = 2_000_000,
            SqlitePath = "x.db",
            RedisConfiguration = "redis:6379,password=p",
            RedisKeyPrefix = "other:",
            RedisTimeout = TimeSpan.FromSeconds(2),
            RedisWaitForReplicas = 2,
        });
    }

    [Theory]
    [InlineData("""{ "Provider": "Postgres" }""", "Registry:Provider: found \"Postgres\"; allowed: Sqlite, Redis.")]
    [InlineData("""{ "Provider": "Redis" }""", "Registry:Redis:Configuration: is missing")]
    [InlineData("""{ "Provider": "Redis", "Redis": { "Configuration": " " } }""", "Registry:Redis:Configuration: is blank")]
    [InlineData("""{ "AuditBytes": 1000 }""", "Registry:AuditBytes: found \"1000\"; allowed: a whole number from 1048576 to 2147483647.")]
    [InlineData("""{ "AuditEntries": -1 }""", "Registry:AuditEntries: found \"-1\"; allowed: a whole number from 0 to 10000000.")]
    [InlineData("""{ "Redis": { "Timeout": "00:00:00" } }""", "Registry:Redis:Timeout: found \"00:00:00\"")]
    [InlineData("""{ "Redis": { "KeyPrefix": "{pg}:" } }""", "Registry:Redis:KeyPrefix: found \"{pg}:\"")]
    [InlineData("""{ "Sqlite": { "Path": "" } }""", "Registry:Sqlite:Path: found \"\"")]
    [InlineData("""{ "Redis": { "Password": "hunter2" } }""", "Registry:Redis:Password: unknown key; allowed here: Configuration, KeyPrefix, Timeout, WaitForReplicas.")]
    [InlineData("""{ "Redis": { "WaitForReplicas": "-1" } }""", "Registry:Redis:WaitForReplicas: found \"-1\"; allowed: a whole number from 0 to 100.")]
    public void An_invalid_value_is_reported_with_its_key(string json, string error) =>
        Read($$"""{ "Registry": {{json}} }""").Errors.ShouldHaveSingleItem().ShouldStartWith(error);

    private static (RegistryOptions Options, IReadOnlyList<string> Errors) Read(string json)
    {
        var errors = new ConfigurationErrors();
        return (RegistryOptionsReader.Read(Configurations.Json(json), errors), errors.All);
    }
}
