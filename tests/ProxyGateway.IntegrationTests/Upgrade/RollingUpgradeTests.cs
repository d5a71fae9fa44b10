using System.Buffers.Text;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Serving;

namespace ProxyGateway.IntegrationTests.Upgrade;

/// <summary>
/// The program of an earlier release and this one on one registry, as docs/registry.md ("Gateways of two versions on one registry") promises it. Whichever
/// starts first, each sees what the other has decided.
/// </summary>
public sealed class RollingUpgradeTests(RollingUpgradeTests.Fixture fixture) : IClassFixture<RollingUpgradeTests.Fixture>
{
    private const string Any = "any";
    private const string WithProofs = "with proofs";
    private const string FormatOne = "of format 1";

    public static TheoryData<Release, bool> Both => Orders(Any);

    public static TheoryData<Release, bool> BothWithProofs => Orders(WithProofs);

    public static TheoryData<Release> Each => [.. Of(Any)];

    public static TheoryData<Release> EachOfFormatOne => [.. Of(FormatOne)];

    internal static IReadOnlyList<Release> Of(string kind) => [.. Release.All.Where(r => kind == Any || r.HasProofs == (kind == WithProofs))];

    [ReleaseTheory(Any)]
    [MemberData(nameof(Both))]
    public async Task Sessions_requests_removals_and_the_audit_are_shared(Release release, bool isOldFirst)
    {
        JsonObject registry = fixture.NewRegistry();
        await using ReleaseGateway one = await fixture.StartAsync(isOldFirst ? release : null, registry, release.HasProofs);
        var device = new TestDevice();
        Outcome atOne = await one.ConnectAsync(device);
        atOne.ShouldBeAdmitted();
        string asked = (await one.ConnectAsync(device, "node")).RequestId;
        string rejected = (await one.ConnectAsync(device, "watcher")).RequestId;

        await using ReleaseGateway other = await fixture.StartAsync(isOldFirst ? null : release, registry, release.HasProofs);
        Outcome atOther = await other.ConnectAsync(device);
        atOther.ShouldBeAdmitted();

        (await other.OperateAsync(HttpMethod.Get, "requests"))!["items"]!.AsArray().Select(r => r!["id"]!.ToString()).Order().ShouldBe(new[] { asked, rejected }.Order());
        await other.ApproveAsync(asked);
        (await one.ConnectAsync(device, "node")).ShouldBeAdmitted();
        await other.OperateAsync(HttpMethod.Post, $"requests/{rejected}/reject");
        (await one.OperateAsync(HttpMethod.Post, $"requests/{rejected}/approve", expected: HttpStatusCode.Conflict))!["type"]!.ToString().ShouldEndWith("already-resolved");
        await one.ApproveAsync((await other.ConnectAsync(device, "builder")).RequestId);
        (await other.ConnectAsync(device, "builder")).ShouldBeAdmitted();

        // Each changes the same document: what the other wrote stays.
        await one.OperateAsync(HttpMethod.Put, $"devices/{device.Id}/label", new JsonObject { ["label"] = "kitchen" });
        await other.OperateAsync(HttpMethod.Put, $"devices/{device.Id}/grants/painter", new JsonObject { ["scopes"] = new JsonArray("walls") });
        JsonObject seen = await one.DeviceAsync(device);
        seen["label"]!.ToString().ShouldBe("kitchen");
        seen["grants"]!.AsObject().Select(g => g.Key).Order().ShouldBe(["builder", "node", "operator", "painter"]);
        seen["grants"]!["painter"]!["approvedBy"]!.ToString().ShouldBe("ops");
        seen["grants"]!.ToJsonString().ShouldBe((await other.DeviceAsync(device))["grants"]!.ToJsonString());

        // A removal at either ends the sessions at both, and no rule pairs the device again at either.
        await other.RemoveAsync(device);
        (await atOne.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1008);
        (await atOther.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1008);
        (await one.ConnectAsync(device)).ShouldRequirePairing("not-paired");
        var next = new TestDevice();
        (atOther, atOne) = (await other.ConnectAsync(next), await one.ConnectAsync(next));
        atOne.ShouldBeAdmitted();
        await one.RemoveAsync(next);
        (await atOther.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1008);
        (await other.ConnectAsync(next)).ShouldRequirePairing("not-paired");

        // A block, and its end.
        var lost = new TestDevice();
        (await other.ConnectAsync(lost)).ShouldBeAdmitted();
        Outcome session = await one.ConnectAsync(lost);
        await other.OperateAsync(HttpMethod.Put, $"devices/{lost.Id}/block", new JsonObject { ["reason"] = "lost" });
        (await session.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device blocked");
        await one.OperateAsync(HttpMethod.Delete, $"devices/{lost.Id}/block");
        (await other.ConnectAsync(lost)).ShouldBeAdmitted();

        foreach ((string kind, TestDevice of) in new[] { ("device-removed", device), ("device-removed", next), ("request-approved", device), ("device-auto-approved", device), ("device-blocked", lost) })
        {
            await one.HasEntryAsync(kind, of);
            await other.HasEntryAsync(kind, of);
        }

        // The overview counts what it can, and neither gateway disturbs the other's readiness.
        (await (isOldFirst ? other : one).OperateAsync(HttpMethod.Get, "overview?hours=1"))!.AsObject().ContainsKey("thisGatewayAlone").ShouldBeFalse();
        await one.ShouldBeReadyAsync();
        await other.ShouldBeReadyAsync();

        await one.StopAsync();
        (await other.ConnectAsync(lost)).ShouldBeAdmitted();
        (await other.ConnectAsync(next)).ShouldRequirePairing("not-paired");
    }

    [ReleaseTheory(WithProofs)]
    [MemberData(nameof(BothWithProofs))]
    public async Task Nonces_proofs_session_tokens_invitations_and_audiences_are_shared(Release release, bool isOldFirst)
    {
        JsonObject registry = fixture.NewRegistry();
        await using ReleaseGateway one = await fixture.StartAsync(isOldFirst ? release : null, registry, hasProofs: true);
        using ProofSigner signer = ProofSigner.WithP256();
        var work = new Uri(ReleaseGateway.Origin, "/work");
        string nonce = await one.NonceAsync();

        await using ReleaseGateway other = await fixture.StartAsync(isOldFirst ? null : release, registry, hasProofs: true);

        // An invitation of the one, used at the other; then nowhere.
        string secret = (await one.OperateAsync(HttpMethod.Post, "invitations", new JsonObject { ["role"] = "client", ["scopes"] = new JsonArray("files.read") }))!["secret"]!.ToString();
        var invited = new ProofOptions { Role = "client", Scopes = DeviceAuth.Pairing.ScopeSet.Of("files.read"), Invitation = secret };
        (HttpStatusCode status, string body) = await other.SendAsync("Device-Proof", signer.Prove("GET", work, nonce, invited));
        status.ShouldBe(HttpStatusCode.OK, body);
        using ProofSigner second = ProofSigner.WithEd25519();
        (status, body) = await one.ProveAsync(second, invited);
        (status, (string?)JsonNode.Parse(body)!["code"]).ShouldBe((HttpStatusCode.Forbidden, "pairing_required"));

        // A proof is used once at both together, and a nonce of either is good at both.
        var asking = new ProofOptions { Role = "client", Scopes = DeviceAuth.Pairing.ScopeSet.Of("files.read") };
        foreach ((ReleaseGateway first, ReleaseGateway then) in new[] { (one, other), (other, one) })
        {
            string proof = signer.Prove("GET", work, await then.NonceAsync(), asking);
            (await first.SendAsync("Device-Proof", proof)).Status.ShouldBe(HttpStatusCode.OK);
            (await then.SendAsync("Device-Proof", proof)).Status.ShouldBe(HttpStatusCode.Unauthorized);
        }

        // A session token of either counts at both; one of a format that neither knows is refused, so that the client sends a proof.
        foreach ((ReleaseGateway first, ReleaseGateway then) in new[] { (one, other), (other, one) })
        {
            string token = await TokenAsync(first, signer, asking);
            (await first.SendAsync("Device-Session", token)).Status.ShouldBe(HttpStatusCode.OK);
            (await then.SendAsync("Device-Session", token)).Status.ShouldBe(HttpStatusCode.OK);
            byte[] ofAnotherFormat = Base64Url.DecodeFromChars(token);
            ofAnotherFormat[0]++; // the format
            foreach (ReleaseGateway gateway in new[] { first, then })
            {
                (status, body) = await gateway.SendAsync("Device-Session", Base64Url.EncodeToString(ofAnotherFormat));
                (status, (string?)JsonNode.Parse(body)!["code"]).ShouldBe((HttpStatusCode.Unauthorized, "invalid_session_token"));
            }
        }

        // What a device may do in one audience stays apart, whichever gateway writes the document.
        var device = new TestDevice();
        (await one.ConnectAsync(device)).ShouldBeAdmitted();
        (await other.ConnectAsync(device, path: "/billing")).ShouldBeAdmitted();
        string asked = (await one.ConnectAsync(device, "node", "/billing")).RequestId;
        await other.ApproveAsync(asked);
        (await one.ConnectAsync(device, "node", "/billing")).ShouldBeAdmitted();
        (await one.ConnectAsync(device, "node")).ShouldRequirePairing("role-upgrade");
        await one.OperateAsync(HttpMethod.Put, $"devices/{device.Id}/label", new JsonObject { ["label"] = "till" });
        await other.OperateAsync(HttpMethod.Delete, $"devices/{device.Id}/grants/billing/operator");
        (await one.DeviceAsync(device))["grants"]!.AsObject().Select(g => g.Key).Order().ShouldBe(["billing/node", "operator"]);
        (await one.ConnectAsync(device)).ShouldBeAdmitted();

        // A removal ends what tokens and proofs open, at the other at once.
        string last = await TokenAsync(one, signer, asking);
        await other.OperateAsync(HttpMethod.Delete, $"devices/{signer.Id}");
        (await one.SendAsync("Device-Session", last)).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await one.ProveAsync(signer, asking)).Status.ShouldBe(HttpStatusCode.Forbidden);
    }

    [ReleaseTheory(FormatOne)]
    [MemberData(nameof(EachOfFormatOne))]
    public async Task A_document_with_audiences_lets_nobody_in_at_a_release_that_does_not_know_them_and_loses_nothing_there(Release release)
    {
        JsonObject registry = fixture.NewRegistry();
        await using ReleaseGateway old = await fixture.StartAsync(release, registry, hasProofs: false);
        await using ReleaseGateway current = await fixture.StartAsync(null, registry, hasProofs: true);
        var device = new TestDevice();
        Outcome session = await old.ConnectAsync(device);
        session.ShouldBeAdmitted();

        (await current.ConnectAsync(device, path: "/billing")).ShouldBeAdmitted();

        (await session.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1013);
        (await old.ConnectAsync(device)).Close!.CloseCode.ShouldBe(1013);
        await old.OperateAsync(HttpMethod.Delete, $"devices/{device.Id}", expected: HttpStatusCode.Conflict);
        (await current.DeviceAsync(device))["grants"]!.AsObject().Select(g => g.Key).Order().ShouldBe(["billing/operator", "operator"]);
        (await current.ConnectAsync(device)).ShouldBeAdmitted();

        // The way back. An operator's no in an audience keeps the format; a removal counts in every audience, and names none.
        await current.OperateAsync(HttpMethod.Delete, $"devices/{device.Id}/grants/billing/operator");
        (await old.ConnectAsync(device)).Close!.CloseCode.ShouldBe(1013);
        await current.RemoveAsync(device);
        await old.ApproveAsync((await old.ConnectAsync(device)).RequestId);
        (await old.ConnectAsync(device)).ShouldBeAdmitted();
        (await current.ConnectAsync(device)).ShouldBeAdmitted();
        (await current.ConnectAsync(device, path: "/billing")).ShouldRequirePairing("not-paired");
    }

    [ReleaseTheory(Any)]
    [MemberData(nameof(Each))]
    public async Task A_file_of_an_earlier_release_is_opened_by_this_one(Release release)
    {
        using var folder = new TemporaryFolder();
        var registry = new JsonObject { ["Provider"] = "Sqlite", ["Sqlite"] = new JsonObject { ["Path"] = Path.Combine(folder.Path, "registry.db") } };
        var (paired, removed) = (new TestDevice(), new TestDevice());
        await using (ReleaseGateway old = await fixture.StartAsync(release, registry, release.HasProofs))
        {
            (await old.ConnectAsync(paired)).ShouldBeAdmitted();
            (await old.ConnectAsync(removed)).ShouldBeAdmitted();
            await old.RemoveAsync(removed);
            await old.HasEntryAsync("device-removed", removed);
            await old.StopAsync();
        }

        await using ReleaseGateway current = await fixture.StartAsync(null, registry, release.HasProofs);

        (await current.ConnectAsync(paired)).ShouldBeAdmitted();
        (await current.ConnectAsync(removed)).ShouldRequirePairing("not-paired");
        await current.HasEntryAsync("device-removed", removed);
        await current.HasEntryAsync("device-auto-approved", paired);
    }

    [ReleaseTheory(Any)]
    [MemberData(nameof(Each))]
    public void The_configurations_that_a_release_shipped_are_valid(Release release)
    {
        foreach (string file in release.Configurations)
        {
            IConfigurationRoot configuration = new ConfigurationBuilder().AddJsonFile(file).Build();
            var errors = new ConfigurationErrors();
            DeviceAuthOptionsReader.Read(configuration, new OperatingSystemUsers(), [DeviceAuthDefaults.ConnectFrame, DeviceAuthDefaults.Proof], errors);
            RegistryOptionsReader.Read(configuration, errors);
            AdminOptionsReader.Read(configuration, errors);
            errors.All.ShouldBeEmpty(file);
        }
    }

    private static TheoryData<Release, bool> Orders(string kind)
    {
        var orders = new TheoryData<Release, bool>();
        foreach (Release release in Of(kind))
        {
            orders.Add(release, true);
            orders.Add(release, false);
        }

        return orders;
    }

    private static async Task<string> TokenAsync(ReleaseGateway gateway, ProofSigner signer, ProofOptions asking)
    {
        const string path = "/.well-known/proxygateway/session";
        string proof = signer.Prove("POST", new Uri(ReleaseGateway.Origin, path), await gateway.NonceAsync(), asking);
        (HttpStatusCode status, string body) = await gateway.SendAsync("Device-Proof", proof, HttpMethod.Post, path, """{"audience":"default"}""");
        status.ShouldBe(HttpStatusCode.OK, body);
        return JsonNode.Parse(body)!["token"]!.ToString();
    }

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("upgrade-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }

    /// <summary>The agent and the Redis of all these tests.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        private readonly ProgramUnderTest _program = new();
        private RunningProgram? _agent;
        private RedisServer? _redis;
        private string _agentUrl = "";

        public async Task InitializeAsync()
        {
            if (Release.All.Count == 0)
                return;
            _redis = await RedisServer.StartAsync();
            _agent = _program.StartServer("SampleAgent.dll", "--urls", "http://127.0.0.1:0");
            _agentUrl = await _agent.PrintsAsync("listens on");
        }

        public async Task DisposeAsync()
        {
            if (_agent is not null)
                await _agent.DisposeAsync();
            if (_redis is not null)
                await _redis.DisposeAsync();
            _program.Delete();
        }

        /// <summary>The section <c>Registry</c> of an empty one.</summary>
        internal JsonObject NewRegistry() => new()
        {
            ["Provider"] = "Redis",
            ["Redis"] = new JsonObject { ["Configuration"] = _redis!.EndPoint, ["KeyPrefix"] = $"{Guid.NewGuid():N}:", ["Timeout"] = "00:00:30" },
            ["StalenessLimit"] = "00:05:00",
        };

        /// <summary>Starts a gateway; null: of this build.</summary>
        internal Task<ReleaseGateway> StartAsync(Release? release, JsonObject registry, bool hasProofs) =>
            ReleaseGateway.StartAsync(release?.Program ?? BuiltProgram.Gateway, _agentUrl, registry, hasProofs);
    }
}
