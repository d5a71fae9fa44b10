using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Keys come, go and change while the gateway runs, and nobody is let in by one that is not in force.</summary>
[SupportedOSPlatform("linux")]
public sealed class KeyRotationTests : IAsyncLifetime, IDisposable
{
    private const string Old = "old-key-old-key-old-key-old-key-old-key";
    private const string New = "new-key-new-key-new-key-new-key-new-key";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rotation-");
    private readonly LogLines _log = new();
    private readonly Layer _layer = new();
    private TestAdmin? _admin;

    private TestAdmin Admin => _admin!;

    private string KeyFile => Path.Combine(_folder.FullName, "data", "admin.key");

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_admin is not null)
            await _admin.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task A_key_that_is_replaced_in_the_configuration_is_no_longer_valid()
    {
        await StartAsync(("ops", Old, "approver"));
        (await StatusAsync(Old)).ShouldBe(200);

        Reload(("ops", New, "approver"));

        await ShouldComeToAsync(New, 200);
        (await StatusAsync(Old)).ShouldBe(401);
        _log.All.ShouldContain("Warning: The operators' keys have changed: added [], removed [], changed [ops]");
        NoSecretIsLogged();
    }

    [Fact]
    public async Task A_reload_adds_one_operator_and_removes_another()
    {
        await StartAsync(("ops", Old, "approver"));

        Reload(("eve", New, "viewer"));

        await ShouldComeToAsync(New, 200);
        (await StatusAsync(Old)).ShouldBe(401);
        (await Admin.GetAsync("/admin/v1/me", New)).Json.GetProperty("name").GetString().ShouldBe("eve");
        _log.All.ShouldContain("Warning: The operators' keys have changed: added [eve], removed [ops], changed []");
    }

    [Fact]
    public async Task An_operator_who_becomes_a_viewer_can_no_longer_decide()
    {
        await StartAsync(("ops", Old, "approver"));
        (await Admin.PostAsync("/admin/v1/requests/x/reject", Old)).ShouldBeProblem(404, "request-not-found");

        Reload(("ops", Old, "viewer"));

        await Eventually.HoldsAsync(async () => (await Admin.PostAsync("/admin/v1/requests/x/reject", Old)).Status == 403, "the role counts");
        (await StatusAsync(Old)).ShouldBe(200);
    }

    [Fact]
    public async Task A_reload_with_an_error_changes_no_key()
    {
        await StartAsync(("ops", Old, "approver"), ("eve", New, "viewer"));

        _layer.Set("Admin:Keys:ops:Role", "emperor");
        _layer.Set("Admin:Keys:eve:Sha256", "none");
        _layer.Announce();

        _log.All.Count(l => l.StartsWith("Error: A reload of the configuration was refused", StringComparison.Ordinal)).ShouldBe(2);
        await AfterALookAsync();
        (await StatusAsync(Old)).ShouldBe(200);
        (await StatusAsync(New)).ShouldBe(200);
    }

    [Fact]
    public async Task A_configuration_that_vanished_changes_no_key_and_creates_no_key_file()
    {
        await StartAsync(("ops", Old, "approver"));

        _layer.Clear();
        _layer.Announce();

        _log.All.ShouldContain(l => l.StartsWith("Error: A reload", StringComparison.Ordinal) && l.Contains("is empty now"));
        await AfterALookAsync();
        (await StatusAsync(Old)).ShouldBe(200);
        File.Exists(KeyFile).ShouldBeFalse();
    }

    [Fact]
    public async Task A_change_of_a_setting_that_is_read_only_at_start_is_logged()
    {
        await StartAsync(("ops", Old, "approver"));

        _layer.Set("Admin:Url", "http://127.0.0.1:1234");
        _layer.Announce();

        _log.All.ShouldContain("Warning: Admin:Url was changed; the change takes effect at the next start.");
    }

    [Fact]
    public async Task A_replaced_key_file_is_used_at_once()
    {
        await StartAsync();
        string first = await File.ReadAllTextAsync(KeyFile);
        (await StatusAsync(first)).ShouldBe(200);

        Replace(New);

        await ShouldComeToAsync(New, 200);
        (await StatusAsync(first)).ShouldBe(401);
        _log.All.ShouldContain("Warning: The operators' keys have changed: added [], removed [], changed [admin]");
        NoSecretIsLogged(first);
    }

    [Fact]
    public async Task A_deleted_key_file_is_made_again_with_a_new_key()
    {
        await StartAsync();
        string first = await File.ReadAllTextAsync(KeyFile);

        File.Delete(KeyFile);

        await Eventually.HoldsAsync(() => Task.FromResult(File.Exists(KeyFile)), "a key is made");
        string second = await File.ReadAllTextAsync(KeyFile);
        second.ShouldNotBe(first);
        await ShouldComeToAsync(second, 200);
        (await StatusAsync(first)).ShouldBe(401);
        File.GetUnixFileMode(KeyFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _log.All.ShouldContain($"Warning: The operators' key file was missing; a new key was made, in {KeyFile}");
        NoSecretIsLogged(first, second);
    }

    [Fact]
    public async Task An_invalid_key_file_admits_no_operator_until_it_is_corrected()
    {
        await StartAsync();
        Replace(Old);
        await ShouldComeToAsync(Old, 200);

        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        await ShouldComeToAsync(Old, 401);
        _log.All.ShouldContain(l => l.StartsWith("Error: No operator is admitted", StringComparison.Ordinal) && l.Contains("chmod 600"));

        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await ShouldComeToAsync(Old, 200);

        Replace("short");
        await ShouldComeToAsync(Old, 401);
        await AfterALookAsync();
        (await StatusAsync("short")).ShouldBeOneOf(401, 429);
        _log.All.Count(l => l.StartsWith("Error: No operator is admitted", StringComparison.Ordinal) && l.Contains("holds no key")).ShouldBe(1);

        File.Delete(KeyFile);
        Directory.CreateDirectory(KeyFile);
        await Eventually.HoldsAsync(
            () => Task.FromResult(_log.All.Count(l => l.StartsWith("Error: No operator is admitted", StringComparison.Ordinal)) == 3), "it is told");
    }

    [Fact]
    public async Task Configured_keys_replace_the_key_file_and_the_other_way_round()
    {
        await StartAsync(("ops", Old, "approver"));
        File.Exists(KeyFile).ShouldBeFalse();

        Reload();
        await Eventually.HoldsAsync(() => Task.FromResult(File.Exists(KeyFile)), "a key is made");
        string made = await File.ReadAllTextAsync(KeyFile);
        await ShouldComeToAsync(made, 200);
        (await StatusAsync(Old)).ShouldBe(401);

        Reload(("ops", Old, "approver"));
        await ShouldComeToAsync(Old, 200);
        (await StatusAsync(made)).ShouldBe(401);
    }

    [Fact]
    public async Task An_event_stream_ends_with_the_key_it_was_opened_with()
    {
        await StartAsync(("ops", Old, "approver"), ("eve", New, "viewer"));
        using Stream removed = await ListenAsync(Old);
        using Stream stays = await ListenAsync(New);

        Reload(("eve", New, "viewer"));

        await ShouldEndAsync(removed);
        await AfterALookAsync();
        Task<byte> more = ReadAsync(stays);
        await ShouldComeToAsync(New, 200);
        more.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task An_event_stream_ends_with_the_role_it_was_opened_with()
    {
        await StartAsync(("ops", Old, "approver"));
        using Stream stream = await ListenAsync(Old);

        Reload(("ops", Old, "viewer"));

        await ShouldEndAsync(stream);
    }

    private async Task StartAsync(params (string Name, string Key, string Role)[] keys)
    {
        Set(keys);
        IConfigurationRoot configuration = new ConfigurationBuilder().Add(_layer).Build();
        var logs = new LoggerFactory([_log]);
        var followed = GatewayConfiguration.Start(configuration, [AdminOptionsReader.Part], new Logger<GatewayConfiguration>(logs));
        var settings = new AdminListenerSettings(followed, new Logger<AdminListenerSettings>(logs));
        AdminKeyRing ring = AdminKeyRing.Load(settings.Current, _folder.FullName);
        ring.Follow(settings);
        _admin = await TestAdmin.StartAsync(keys: ring, configure: services => services.AddLogging(l => l.AddProvider(_log)));
    }

    private void Reload(params (string Name, string Key, string Role)[] keys)
    {
        Set(keys);
        _layer.Announce();
    }

    private void Set((string Name, string Key, string Role)[] keys)
    {
        _layer.Clear();
        _layer.Set("Logging:LogLevel:Default", "Information");
        foreach ((string name, string key, string role) in keys)
        {
            _layer.Set($"Admin:Keys:{name}:Sha256", Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key))));
            _layer.Set($"Admin:Keys:{name}:Role", role);
            _layer.Set($"Admin:Keys:{name}:UpTo:operator:0", "operator.read");
        }
    }

    private void Replace(string key)
    {
        string draft = KeyFile + ".new";
        File.WriteAllText(draft, key + "\n");
        File.SetUnixFileMode(draft, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(draft, KeyFile, overwrite: true);
    }

    private async Task<int> StatusAsync(string key) => (await Admin.GetAsync("/admin/v1/devices", key)).Status;

    // Asks over and over where no failure counts, and then once where it does.
    private async Task ShouldComeToAsync(string key, int status)
    {
        AdminKeyRing ring = Admin.Services.GetRequiredService<AdminKeyRing>();
        await Eventually.HoldsAsync(() => Task.FromResult(ring.Find(key) is not null == (status == 200)), $"{status} for the key");
        (await StatusAsync(key)).ShouldBe(status);
    }

    private async Task AfterALookAsync()
    {
        AdminKeyRing ring = Admin.Services.GetRequiredService<AdminKeyRing>();
        int looks = ring.Renewals;
        await Eventually.HoldsAsync(() => Task.FromResult(ring.Renewals > looks + 1), "the keys were looked at");
    }

    private async Task<Stream> ListenAsync(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/v1/events");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        HttpResponseMessage response = await Admin.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        Stream stream = await response.Content.ReadAsStreamAsync();
        byte[] ready = new byte[6];
        await stream.ReadExactlyAsync(ready);
        return stream;
    }

    private static async Task ShouldEndAsync(Stream stream)
    {
        var rest = new MemoryStream();
        await stream.CopyToAsync(rest).WaitAsync(Eventually.Patience);
    }

    private static async Task<byte> ReadAsync(Stream stream)
    {
        byte[] one = new byte[1];
        while (one[0] != (byte)'!')
            await stream.ReadExactlyAsync(one);
        return one[0];
    }

    private void NoSecretIsLogged(params string[] more)
    {
        foreach (string key in more.Concat([Old, New]))
        {
            _log.All.ShouldAllBe(l => !l.Contains(key));
            _log.All.ShouldAllBe(l => !l.Contains(Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key))), StringComparison.OrdinalIgnoreCase));
        }
    }

    /// <summary>A layer of the configuration that the test writes.</summary>
    private sealed class Layer : ConfigurationProvider, IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

        public void Clear() => Data.Clear();

        public void Announce() => OnReload();
    }
}
