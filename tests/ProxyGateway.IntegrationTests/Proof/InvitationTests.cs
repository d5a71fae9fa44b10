using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Devices that show an invitation, at real gates.</summary>
public sealed class InvitationTests : IAsyncLifetime, IDisposable
{
    private static readonly InvitationTerms Terms = new(Audience.Default, "client", ScopeSet.Of("files.read"), TimeSpan.FromMinutes(10));
    private readonly ProofSigner _device = ProofSigner.WithP256();
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose() => _device.Dispose();

    [Fact]
    public async Task A_device_gets_in_at_its_first_request_and_needs_no_invitation_then()
    {
        string secret = await InviteAsync(_gate);

        (await GetAsync(_gate, _device, Asking(secret))).StatusCode.ShouldBe(HttpStatusCode.OK);

        (await GetAsync(_gate, _device, Asking(invitation: null))).StatusCode.ShouldBe(HttpStatusCode.OK);
        _gate.State.Requests.ShouldBe(2);
        Grant grant = (await _gate.Registry.FindAsync(_device.Id, default))!.Grants.ShouldHaveSingleItem().Value;
        grant.ApprovedBy.ShouldStartWith("alice (invitation ");
    }

    [Fact]
    public async Task Of_two_devices_at_two_gateways_one_gets_in()
    {
        await using ProofSetting other = await ProofSetting.StartAsync(store: _gate.Store);
        using ProofSigner second = ProofSigner.WithEd25519();
        string secret = await InviteAsync(_gate);

        HttpResponseMessage[] answers = await Task.WhenAll(GetAsync(_gate, _device, Asking(secret)), GetAsync(other, second, Asking(secret)));

        answers.Count(a => a.StatusCode == HttpStatusCode.OK).ShouldBe(1);
        JsonNode problem = await ProofSetting.ProblemOf(answers.Single(a => a.StatusCode != HttpStatusCode.OK), HttpStatusCode.Forbidden, "pairing_required");
        ((string)problem["detail"]!).ShouldStartWith("The invitation was used before");
        (_gate.State.Requests + other.State.Requests).ShouldBe(1);
    }

    [Fact]
    public async Task What_it_does_not_cover_waits_for_an_operator()
    {
        string secret = await InviteAsync(_gate);

        using HttpResponseMessage wider = await GetAsync(_gate, _device, Asking(secret) with { Scopes = ScopeSet.Of("files.write") });
        using HttpResponseMessage unknown = await GetAsync(_gate, _device, Asking("AAAAAAAAAAAAAAAAAAAAAA"));
        using HttpResponseMessage malformed = await GetAsync(_gate, _device, Asking("AAAA"));

        ((string)(await ProofSetting.ProblemOf(wider, HttpStatusCode.Forbidden, "pairing_required"))["detail"]!).ShouldStartWith("The invitation is for another audience");
        ((string)(await ProofSetting.ProblemOf(unknown, HttpStatusCode.Forbidden, "pairing_required"))["detail"]!).ShouldStartWith("There is no such invitation");
        ((string)(await ProofSetting.ProblemOf(malformed, HttpStatusCode.Unauthorized, "invalid_dpop_proof"))["claim"]!).ShouldBe("invitation");
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task It_stands_in_for_the_shared_token()
    {
        await using ProofSetting gate = await ProofSetting.StartAsync(options => options with { SharedTokenSha256 = [.. new byte[32]] });
        string secret = await InviteAsync(gate);
        using ProofSigner other = ProofSigner.WithEd25519();

        await ProofSetting.ProblemOf(await GetAsync(gate, other, Asking(invitation: null)), HttpStatusCode.Forbidden, "unauthorized");
        await ProofSetting.ProblemOf(await GetAsync(gate, other, Asking("AAAAAAAAAAAAAAAAAAAAAA")), HttpStatusCode.Forbidden, "unauthorized");
        (await GetAsync(gate, _device, Asking(secret))).StatusCode.ShouldBe(HttpStatusCode.OK);
        await ProofSetting.ProblemOf(await GetAsync(gate, other, Asking(secret)), HttpStatusCode.Forbidden, "unauthorized");
        (await gate.Registry.FindAsync(other.Id, default)).ShouldBeNull("a device without a good invitation leaves nothing behind");
    }

    // Else one invitation would let any number of devices past the shared token, and for ever.
    [Fact]
    public async Task It_lets_no_rule_approve_what_needs_the_shared_token()
    {
        await using ProofSetting gate = await ProofSetting.StartAsync(options => options with { SharedTokenSha256 = [.. new byte[32]], Policy = PairingPolicy.Default });
        string secret = await InviteAsync(gate);
        using ProofSigner other = ProofSigner.WithEd25519();

        (await GetAsync(gate, _device, Asking(secret))).StatusCode.ShouldBe(HttpStatusCode.OK);
        await ProofSetting.ProblemOf(await GetAsync(gate, other, Asking(secret)), HttpStatusCode.Forbidden, "unauthorized");

        (await gate.Registry.FindAsync(_device.Id, default))!.Grants.ShouldHaveSingleItem().Value.ApprovedBy.ShouldStartWith("alice (invitation ");
    }

    [Fact]
    public async Task It_gives_a_session_token_at_once()
    {
        await using ProofSetting gate = await ProofSetting.StartAsync(metadata: new() { ["DeviceAuth.SessionTokens"] = "Allow" });
        string secret = await InviteAsync(gate);

        string token = await gate.TokenAsync(_device, options: Asking(secret));

        using HttpResponseMessage answer = await gate.SendTokenAsync(token);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private static ProofOptions Asking(string? invitation) => new() { Scopes = ScopeSet.Of("files.read"), Invitation = invitation };

    private static async Task<string> InviteAsync(ProofSetting gate) =>
        (await gate.Services.GetRequiredService<Invitations>().MakeAsync(Terms, new Operator("alice"), ScopeImplications.Default, default)).Secret!;

    private static async Task<HttpResponseMessage> GetAsync(ProofSetting gate, ProofSigner device, ProofOptions options)
    {
        using HttpClient client = gate.Client(device, options);
        return await client.GetAsync(new Uri("/work", UriKind.Relative));
    }
}
