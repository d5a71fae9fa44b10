using System.Text.Json;
using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class DeviceEndpointTests : IAsyncLifetime
{
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_page_of_devices_with_long_grants_ends_early_and_the_next_continues()
    {
        string[] scopes = [.. Enumerable.Range(0, 64).Select(i => $"{i}".PadLeft(128, 's'))];
        var paired = new HashSet<string>();
        for (int i = 0; i < 120; i++)
            paired.Add((await _admin.PairAsync(Some.Claim("operator", scopes))).ToString());

        JsonElement first = (await _admin.GetAsync("/admin/v1/devices?limit=200")).Json;
        first.GetProperty("items").GetArrayLength().ShouldBe(100, "half a mebibyte was past by then");
        JsonElement second = (await _admin.GetAsync($"/admin/v1/devices?limit=200&cursor={Uri.EscapeDataString(first.GetProperty("next").GetString()!)}")).Json;

        second.GetProperty("next").ValueKind.ShouldBe(JsonValueKind.Null);
        string[] listed = [.. new[] { first, second }.SelectMany(p => p.GetProperty("items").EnumerateArray()).Select(d => d.GetProperty("id").GetString()!)];
        listed.ShouldBeUnique();
        paired.Except(listed).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_device_shows_its_grants_and_nothing_internal()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await _admin.PairAsync(claim);
        PairingRequest rejected = await _admin.AskAsync(claim.Asking("node"));
        await _admin.PostAsync($"/admin/v1/requests/{rejected.Id}/reject"); // leaves a mark

        Answer answer = await _admin.GetAsync($"/admin/v1/devices/{claim.Device}");

        answer.Status.ShouldBe(200);
        answer.Members.ShouldBe(["id", "publicKey", "client", "grants", "createdAt", "version", "algorithm", "jkt"]);
        answer.Json.GetProperty("publicKey").GetString().ShouldBe(claim.PublicKey);
        (answer.Json.GetProperty("algorithm").GetString(), answer.Json.GetProperty("jkt").GetString()).ShouldBe(("Ed25519", DeviceKey.ThumbprintOf(claim.PublicKey)));
        JsonElement grant = answer.Json.GetProperty("grants").GetProperty("operator");
        grant.EnumerateObject().Select(m => m.Name).ShouldBe(["scopes", "approvedAt", "approvedBy"]);
        grant.GetProperty("approvedAt").GetString().ShouldEndWith("Z");
    }

    [Fact]
    public async Task Devices_are_listed_page_by_page()
    {
        var paired = new List<string>();
        for (int i = 0; i < 5; i++)
            paired.Add((await _admin.PairAsync(Some.Claim("operator", "operator.read"))).ToString());
        await _admin.AskAsync(Some.Claim("operator")); // not among them

        var listed = new List<string>();
        string query = "?limit=2";
        while (true)
        {
            Answer answer = await _admin.GetAsync("/admin/v1/devices" + query);
            listed.AddRange(answer.Json.GetProperty("items").EnumerateArray().Select(d => d.GetProperty("id").GetString()!));
            if (answer.Json.GetProperty("next").GetString() is not { } next)
                break;
            query = "?limit=2&cursor=" + Uri.EscapeDataString(next);
        }

        listed.Count.ShouldBe(5);
        listed.Order().ShouldBe(paired.Order());
    }

    [Fact]
    public async Task A_device_without_grants_is_not_found()
    {
        DeviceClaim claim = Some.Claim("operator");
        await _admin.AskAsync(claim);

        (await _admin.GetAsync($"/admin/v1/devices/{claim.Device}")).ShouldBeProblem(404, "device-not-found");
        (await _admin.GetAsync($"/admin/v1/devices/{new string('0', 64)}")).ShouldBeProblem(404, "device-not-found");
        (await _admin.GetAsync($"/admin/v1/devices/{claim.Device.ToString().ToUpperInvariant()}")).ShouldBeProblem(404, "device-not-found");
        (await _admin.GetAsync("/admin/v1/devices/nonsense")).ShouldBeProblem(404, "device-not-found");
    }

    [Fact]
    public async Task A_removed_device_is_gone()
    {
        DeviceId id = await _admin.PairAsync(Some.Claim("operator", "operator.read"));

        Answer removed = await _admin.DeleteAsync($"/admin/v1/devices/{id}");

        removed.Status.ShouldBe(204);
        removed.Text.ShouldBeEmpty();
        (await _admin.GetAsync($"/admin/v1/devices/{id}")).ShouldBeProblem(404, "device-not-found");
        (await _admin.DeleteAsync($"/admin/v1/devices/{id}")).ShouldBeProblem(404, "device-not-found");
        (await _admin.DeleteAsync("/admin/v1/devices/nonsense")).ShouldBeProblem(404, "device-not-found");
    }

    [Fact]
    public async Task A_damaged_device_says_so_and_can_be_removed()
    {
        DeviceId damaged = await _admin.PairAsync(Some.Claim("operator", "operator.read"));
        await using (var connection = new SqliteConnection($"Data Source={_admin.RegistryPath};Pooling=False"))
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = "UPDATE devices SET document = x'7b'";
            command.ExecuteNonQuery().ShouldBe(1);
        }

        DeviceId sound = await _admin.PairAsync(Some.Claim("operator", "operator.read"));

        Answer answer = await _admin.GetAsync($"/admin/v1/devices/{damaged}");
        answer.ShouldBeProblem(500, "damaged-device");
        answer.Json.GetProperty("detail").GetString()!.ShouldContain(damaged.ToString());
        JsonElement listed = (await _admin.GetAsync("/admin/v1/devices")).Json.GetProperty("items");
        listed.EnumerateArray().Select(d => d.GetProperty("id").GetString()).ShouldBe([sound.ToString()]);

        (await _admin.DeleteAsync($"/admin/v1/devices/{damaged}")).Status.ShouldBe(204);
        (await _admin.GetAsync($"/admin/v1/devices/{damaged}")).ShouldBeProblem(404, "device-not-found");
    }
}
