using System.Buffers.Text;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>The gateway shows that it knows a key, to who knows it, and tells nobody else anything.</summary>
public sealed class ProofEndpointTests : IAsyncLifetime
{
    private readonly string _nonce = KeyProof.NewNonce();
    private TestAdmin _admin = null!;

    private string Host => _admin.Client.BaseAddress!.Authority;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Theory]
    [InlineData(TestAdmin.Approver)]
    [InlineData(TestAdmin.Viewer)]
    public async Task A_client_with_a_key_gets_the_gateways_proof(string key)
    {
        Answer answer = await AskAsync(ClientProof(key, Host));

        answer.Status.ShouldBe(200, answer.Text);
        answer.Members.ShouldBe(["proof"]);
        answer.Json.GetProperty("proof").GetString().ShouldBe(Base64Url.EncodeToString(KeyProof.OfGateway(KeyProof.HashOf(key), Host, _nonce)));
    }

    [Fact]
    public async Task A_client_without_the_key_gets_the_same_answer_as_without_any_key()
    {
        string none = (await _admin.GetAsync("/admin/v1/me", key: null)).Text;
        string[] proofs =
        [
            ClientProof("another-key-another-key-another-key-anot", Host),
            ClientProof(TestAdmin.Approver, "127.0.0.1:1"), // shown at another address
            Base64Url.EncodeToString(KeyProof.OfGateway(KeyProof.HashOf(TestAdmin.Approver), Host, _nonce)), // what a gateway would answer
        ];
        foreach (string proof in proofs)
        {
            Answer answer = await AskAsync(proof);
            answer.ShouldBeProblem(401, "unauthorized");
            answer.Text.ShouldBe(none);
        }
    }

    [Theory]
    [InlineData("localhost:PORT")]
    [InlineData("gateway.localhost:PORT")]
    [InlineData("127.0.0.2:PORT")]
    [InlineData("[::1]:PORT")]
    [InlineData("127.0.0.1:1")]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public async Task A_proof_for_another_address_is_not_answered(string elsewhere)
    {
        string host = elsewhere.Replace("PORT", $"{_admin.Client.BaseAddress!.Port}");

        Answer answer = await _admin.SendAsync(
            HttpMethod.Post, "/admin/v1/proof", key: null, $$"""{"nonce":"{{_nonce}}","proof":"{{ClientProof(TestAdmin.Approver, host)}}"}""", r => r.Headers.Host = host);

        answer.ShouldBeProblem(403, "host-refused");
    }

    [Fact]
    public async Task Wrong_proofs_are_delayed_and_a_right_one_never_waits()
    {
        KeyRefusals refusals = _admin.Services.GetRequiredService<KeyRefusals>();
        Task[] guesses = [.. Enumerable.Range(0, 12).Select(_ => AskAsync(ClientProof(new string('g', 40), Host)))];
        await Eventually.HoldsAsync(() => Task.FromResult(refusals.Held > 0), "guesses wait");

        (await AskAsync(ClientProof(TestAdmin.Approver, Host))).Status.ShouldBe(200);
        refusals.Held.ShouldBeGreaterThan(0);
        await _admin.StopAsync(); // nobody who should not be here is waited for
        await Task.WhenAll(guesses).WaitAsync(Eventually.Patience);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"nonce":"x","proof":"x"}""")]
    [InlineData("""{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB","proof":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}""")] // a second spelling of the same bytes
    [InlineData("""{"nonce":null,"proof":null}""")]
    public async Task An_invalid_proof_is_refused(string json) => (await _admin.PostAsync("/admin/v1/proof", key: null, json)).ShouldBeProblem(400, "invalid-request");

    private Task<Answer> AskAsync(string proof) => _admin.PostAsync("/admin/v1/proof", key: null, $$"""{"nonce":"{{_nonce}}","proof":"{{proof}}"}""");

    private string ClientProof(string key, string host) => Base64Url.EncodeToString(KeyProof.OfClient(KeyProof.HashOf(key), host, _nonce));
}
