using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>A device whose document a newer gateway wrote: operators see it, and cannot change it here.</summary>
public sealed class NewerFormatTests : IAsyncLifetime
{
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private TestAdmin _admin = null!;
    private PairingRequest _request = null!;
    private DeviceRecord _record = null!;

    public static TheoryData<string, string, string?> Changes => new()
    {
        { "DELETE", "", null },
        { "PUT", "/grants/operator", """{"scopes":[]}""" },
        { "DELETE", "/grants/operator", null },
        { "PUT", "/label", """{"label":"name"}""" },
        { "DELETE", "/label", null },
        { "PUT", "/block", null },
        { "DELETE", "/block", null },
    };

    public async Task InitializeAsync()
    {
        _admin = await TestAdmin.StartAsync();
        await _admin.PairAsync(_claim);
        _request = await _admin.AskAsync(_claim.Asking("node"));
        DeviceRecord before = (await _admin.Store.GetAsync(_claim.Device, default)).Record!;
        _record = before with { Version = Some.Version() };
        var swap = new DeviceSwap(before, NewerGateway.Extend(_record).InFormat(DeviceDocument.Format + 1), ExpiresAt: null, PendingLimits.None);
        (await _admin.Store.SwapAsync(swap, default)).ShouldBe(SwapResult.Swapped);
    }

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_device_of_a_newer_format_is_marked_in_lists_and_by_itself()
    {
        DeviceClaim[] others = [Some.Claim(), Some.Claim()];
        foreach (DeviceClaim other in others)
            await _admin.PairAsync(other);

        JsonElement[] listed = [.. (await _admin.GetAsync("/admin/v1/devices")).Json.GetProperty("items").EnumerateArray()];
        Answer shown = await _admin.GetAsync($"/admin/v1/devices/{_claim.Device}", TestAdmin.Viewer);

        listed.Select(d => d.GetProperty("id").GetString()).ShouldBe(
            others.Append(_claim).Select(c => c.Device.ToString()).Order(StringComparer.Ordinal), "in the order of pages");
        JsonElement marked = listed.Single(d => d.TryGetProperty("newerFormat", out _));
        foreach (JsonElement device in new[] { marked, shown.Json })
        {
            device.EnumerateObject().Select(m => m.Name).ShouldBe(["id", "client", "grants", "version", "newerFormat"], ignoreOrder: true);
            device.GetProperty("id").GetString().ShouldBe(_claim.Device.ToString());
            device.GetProperty("newerFormat").GetInt32().ShouldBe(DeviceDocument.Format + 1);
            device.GetProperty("version").GetString().ShouldBe(_record.Version);
        }

        (await PagesAsync()).ShouldBe([1, 1, 1]);
        (await _admin.GetAsync("/admin/v1/requests")).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_device_of_a_newer_format_is_not_changed_and_the_answer_says_to_upgrade(string method, string path, string? body)
    {
        Answer answer = await _admin.SendAsync(new HttpMethod(method), $"/admin/v1/devices/{_claim.Device}{path}", json: body);

        ShouldSayToUpgrade(answer);
        (await _admin.Store.GetAsync(_claim.Device, default)).Damage.ShouldBeOfType<NewerDocumentException>().Document.Version.ShouldBe(_record.Version);
    }

    [Fact]
    public async Task Requests_of_a_device_of_a_newer_format_are_not_decided()
    {
        ShouldSayToUpgrade(await _admin.PostAsync($"/admin/v1/requests/{_request.Id}/approve"));
        ShouldSayToUpgrade(await _admin.PostAsync($"/admin/v1/requests/{_request.Id}/reject"));
        ShouldSayToUpgrade(await _admin.GetAsync($"/admin/v1/requests/{_request.Id}"));
    }

    [Fact]
    public async Task An_import_and_a_removal_by_rule_skip_a_device_of_a_newer_format_and_say_so()
    {
        DeviceClaim other = Some.Claim();
        string devices = string.Join(',', new[] { _claim, other }.Select(c => """{"publicKey":"KEY","grants":{"node":{"scopes":[]}}}""".Replace("KEY", c.PublicKey, StringComparison.Ordinal)));

        Answer imported = await _admin.PostAsync("/admin/v1/devices/import", json: $$"""{"devices":[{{devices}}]}""");
        Answer removed = await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback"}""");

        imported.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("outcome").GetString()).ShouldBe(["newer-format", "added"]);
        removed.Json.GetProperty("newerFormat").GetInt32().ShouldBe(1);
    }

    [Fact]
    public async Task Readyz_stays_200_and_counts_devices_of_a_newer_format()
    {
        (await _admin.GetAsync("/readyz", key: null)).Text.ShouldBe("ok", "it was not met yet");
        await _admin.GetAsync("/admin/v1/devices");

        string notice = "";
        await Eventually.HoldsAsync(async () => (notice = (await _admin.GetAsync("/readyz", key: null)).Text) != "ok", "the registry is asked again");

        (await _admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200, "one device must not take the gateway out of service for all others");
        notice.ShouldStartWith("ok\n1 device is not admitted here");
        notice.ShouldContain("Upgrade this gateway");
        notice.ShouldNotContain(_claim.Device.ToString()[..8]);
        DeviceRecord raised = NewerGateway.Extend(_record).InFormat(DeviceDocument.Format + 1);
        await _admin.Store.SwapAsync(new DeviceSwap(raised, _record with { Version = Some.Version() }, ExpiresAt: null, PendingLimits.None), default);
        await Eventually.HoldsAsync(async () => (await _admin.GetAsync("/readyz", key: null)).Text == "ok", "it can be read again");
    }

    [Fact]
    public async Task Audit_entries_of_a_newer_gateway_are_shown_whole()
    {
        AuditEntry[] entries =
        [
            AuditDocument.Deserialize("""{"time":"2026-11-30T12:00:00+00:00","gateway":"g","kind":"grant-changed","operator":"ops","audience":"agent-2"}"""u8, id: 0),
            AuditDocument.Deserialize("""{"time":"2026-11-30T12:00:00+00:00","gateway":"g","kind":"device-refused","locality":"tailnet"}"""u8, id: 0),
        ];
        await ((IAuditStore)_admin.Store).AppendAsync(new AuditBatch("writer", 1, entries), default);

        JsonElement refused = await OnlyAsync("device-refused");
        JsonElement changed = await OnlyAsync("grant-changed&operator=ops");

        refused.GetProperty("locality").GetString().ShouldBe("tailnet");
        refused.GetProperty("kind").GetString().ShouldBe("device-refused");
        changed.GetProperty("audience").GetString().ShouldBe("agent-2");
        changed.GetProperty("time").GetString().ShouldEndWith("Z");

        async Task<JsonElement> OnlyAsync(string kind) =>
            (await _admin.GetAsync("/admin/v1/audit?kind=" + kind)).Json.GetProperty("items").EnumerateArray().ShouldHaveSingleItem();
    }

    private static void ShouldSayToUpgrade(Answer answer)
    {
        answer.ShouldBeProblem(409, "newer-format");
        answer.Json.GetProperty("detail").GetString()!.ShouldContain("Upgrade this gateway");
    }

    private async Task<List<int>> PagesAsync()
    {
        var pages = new List<int>();
        string? next = null;
        do
        {
            JsonElement page = (await _admin.GetAsync("/admin/v1/devices?limit=1" + (next is null ? "" : "&cursor=" + next))).Json;
            pages.Add(page.GetProperty("items").GetArrayLength());
            next = page.GetProperty("next").GetString();
        }
        while (next is not null);

        return pages;
    }
}
