using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.Tests.Configuration;

public sealed class DeviceAuthSettingsTests : IDisposable
{
    private readonly Source _source = new();
    private readonly Lines _log = new();

    [Fact]
    public void The_effective_policy_is_logged_at_start()
    {
        using Started settings = Start();

        _log.Texts.ShouldContain("Information: Pairing policy: Rule loopback approves not-paired, scope-upgrade from loopback.");
        _log.Texts.ShouldContain("Information: Pairing policy: Everything else waits for an operator.");
        _log.Texts.ShouldContain("Information: Pairing policy: Role operator: operator.admin covers operator.*.");
        _log.Texts.ShouldContain(t => t.StartsWith("Information: Rule loopback trusts every process"));
        _log.Texts.ShouldContain("Information: Pairing policy: New devices in an hour: loopback 1000; rules may hold 100000 devices in all. Past that an operator decides.");
        _log.Texts.ShouldContain("Information: Rule loopback is about processes, not devices: any local process can make a new key at any time and be a device of any role with any scopes, operator.admin included. UpTo limits this.");
        _log.Texts.ShouldAllBe(t => t.StartsWith("Information"));
    }

    [Fact]
    public void The_log_says_what_any_process_can_become_by_the_rule_in_force()
    {
        _source.Set("DeviceAuth:Pairing:AutoApprove:loopback:UpTo:operator:0", "operator.write");
        _source.Set("DeviceAuth:Pairing:AutoApprove:upgrades:From:0", "loopback");
        _source.Set("DeviceAuth:Pairing:AutoApprove:upgrades:Reasons:0", "role-upgrade");
        using Started settings = Start();

        _log.Texts.Where(t => t.Contains("is about processes")).ShouldHaveSingleItem()
            .ShouldContain("any local process can make a new key at any time and be a device with operator [operator.write] and no more.");
    }

    [Theory]
    [InlineData("any", "any")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    public void A_rule_from_any_address_is_logged_as_a_warning(string place, string named)
    {
        _source.Set("DeviceAuth:Pairing:AutoApprove:all:From:0", place);
        _source.Set("DeviceAuth:Pairing:AutoApprove:all:Reasons:0", "scope-upgrade");
        using Started settings = Start();

        _log.Texts.ShouldContain($"Warning: Rule all approves connections from anywhere ({named}) without an operator.");
    }

    [Fact]
    public void A_start_with_errors_fails_with_all_of_them()
    {
        _source.Set("DeviceAuth:HandshakeTimeout", "never");
        _source.Set("DeviceAuth:Hanshake", "ConnectFrame");

        Should.Throw<InvalidConfigurationException>(Start).Errors.Count.ShouldBe(2);
    }

    [Fact]
    public void A_reload_replaces_the_options_and_says_so()
    {
        using Started settings = Start();
        _log.Texts.Clear();

        _source.Set("DeviceAuth:Pairing:AutoApprove:loopback:Enabled", "false");
        _source.Reload();

        settings.Current.Policy.AutoApprove.ShouldBeEmpty();
        _log.Texts.ShouldContain("Information: The configuration was reloaded.");
        _log.Texts.ShouldContain("Information: Pairing policy: Nothing is approved without an operator.");
    }

    [Fact]
    public void A_failed_handler_of_a_reload_does_not_stop_the_others()
    {
        using Started settings = Start();
        int heard = 0;
        settings.Settings.Changed += () => throw new InvalidOperationException("a bug");
        settings.Settings.Changed += () => heard++;

        _source.Set("DeviceAuth:MaxHandshakeBytes", "2048");
        _source.Reload();

        heard.ShouldBe(1);
        _log.Texts.ShouldContain("Error: A reload was applied, but a part of the program failed to handle it.");
    }

    [Fact]
    public void A_reload_that_is_not_valid_is_refused_as_a_whole()
    {
        using Started settings = Start();
        DeviceAuthOptions before = settings.Current;
        _log.Texts.Clear();

        _source.Set("DeviceAuth:MaxHandshakeBytes", "2048");
        _source.Set("DeviceAuth:HandshakeTimeout", "never");
        _source.Set("DeviceAuth:SignatureSkew", "never");
        _source.Reload();

        settings.Current.ShouldBeSameAs(before);
        _log.Texts.Count(t => t.StartsWith("Error: A reload of the configuration was refused; the previous one stays in force: DeviceAuth:", StringComparison.Ordinal)).ShouldBe(2);
        _log.Texts.Count.ShouldBe(2);

        _source.Set("DeviceAuth:HandshakeTimeout", "00:00:05");
        _source.Set("DeviceAuth:SignatureSkew", "00:00:05");
        _source.Reload();
        settings.Current.MaxHandshakeBytes.ShouldBe(2048);
    }

    [Fact]
    public void A_reload_of_other_sections_logs_nothing()
    {
        _source.Set("DeviceAuth:TrustedProxies:0", "10.0.0.1");
        using Started settings = Start();
        _log.Texts.Clear();

        _source.Set("Logging:LogLevel:Default", "Debug");
        _source.Reload();

        _log.Texts.ShouldBeEmpty();
    }

    [Fact]
    public void A_deleted_file_does_not_restore_the_defaults()
    {
        _source.Set("DeviceAuth:Pairing:AutoApprove:loopback:Enabled", "false");
        using Started settings = Start();

        _source.Clear();
        _source.Reload();

        settings.Current.Policy.AutoApprove.ShouldBeEmpty();
        _log.Texts.ShouldContain(t => t.StartsWith("Error: A reload") && t.Contains("is empty now"));

        _source.Set("DeviceAuth:Pairing:AutoApprove:loopback:Reasons:0", "not-paired");
        _source.Reload();
        settings.Current.Policy.AutoApprove.ShouldHaveSingleItem();
    }

    [Fact]
    public void A_file_that_cannot_be_parsed_is_logged_and_changes_nothing()
    {
        using var file = new OneFile("""{ "DeviceAuth": { "MaxHandshakeBytes": 2048 } }""");
        IConfigurationRoot configuration = new ConfigurationBuilder().AddJsonFile(file, "settings.json", optional: false, reloadOnChange: false).Build();
        using Started settings = Start(configuration);

        file.Text = """{ "DeviceAuth": { """;
        Should.Throw<InvalidDataException>(configuration.Reload);

        settings.Current.MaxHandshakeBytes.ShouldBe(2048);
        _log.Texts.ShouldContain(t => t.StartsWith("Error: A reload") && t.Contains("settings.json"));
    }

    [Fact]
    public void After_disposal_a_reload_changes_nothing()
    {
        Started settings = Start();
        settings.Dispose();

        _source.Set("DeviceAuth:MaxHandshakeBytes", "2048");
        _source.Reload();

        settings.Current.MaxHandshakeBytes.ShouldBe(16384);
    }

    public void Dispose() => _log.Dispose();

    private Started Start() => Start(new ConfigurationBuilder().Add(_source).Build());

    private Started Start(IConfiguration configuration)
    {
        var factory = new LoggerFactory([_log]);
        var part = DeviceAuthOptionsReader.Part(new Configurations.Users(), [DeviceAuthDefaults.ConnectFrame]);
        var followed = GatewayConfiguration.Start(configuration, [part], new Logger<GatewayConfiguration>(factory));
        return new Started(followed, new DeviceAuthSettings(followed, new Logger<DeviceAuthSettings>(factory)));
    }

    private sealed class Started(GatewayConfiguration configuration, DeviceAuthSettings settings) : IDisposable
    {
        public DeviceAuthOptions Current => settings.Current;

        public DeviceAuthSettings Settings => settings;

        public void Dispose() => configuration.Dispose();
    }

    private sealed class Source : ConfigurationProvider, IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

        public void Reload() => OnReload();

        public void Clear() => Data.Clear();
    }

    private sealed class OneFile(string text) : IFileProvider, IFileInfo, IDisposable
    {
        private readonly CancellationTokenSource _never = new();

        public string Text { get; set; } = text;

        public bool Exists => true;

        public long Length => Text.Length;

        public string? PhysicalPath => null;

        public string Name => "settings.json";

        public DateTimeOffset LastModified => default;

        public bool IsDirectory => false;

        public Stream CreateReadStream() => new MemoryStream(System.Text.Encoding.UTF8.GetBytes(Text));

        public IDirectoryContents GetDirectoryContents(string subpath) => NotFoundDirectoryContents.Singleton;

        public IFileInfo GetFileInfo(string subpath) => this;

        public IChangeToken Watch(string filter) => new CancellationChangeToken(_never.Token);

        public void Dispose() => _never.Dispose();
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        public List<string> Texts { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Texts.Add($"{logLevel}: {formatter(state, exception)}");

        public void Dispose()
        {
        }
    }
}
