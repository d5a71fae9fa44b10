using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>A route for clients that know the standard's header alone (RFC 9449).</summary>
public sealed class StandardHeaderTests : IAsyncLifetime, IDisposable
{
    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly HttpClient _plain = new() { Timeout = Eventually.Patience };
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync(metadata: new() { ["DeviceAuth.ProofHeader"] = "DPoP" });

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _device.Dispose();
        _plain.Dispose();
    }

    [Fact]
    public async Task A_request_without_a_proof_is_challenged()
    {
        using HttpResponseMessage answer = await _plain.GetAsync(new Uri(_gate.Address, "/work"));

        await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "device_proof_required");
        answer.Headers.WwwAuthenticate.ToString().ShouldBe("DPoP algs=\"ES256 EdDSA Ed25519\"");
        answer.Headers.GetValues("DPoP-Nonce").Single().Length.ShouldBe(28);
        answer.Headers.Contains("Device-Nonce").ShouldBeFalse();
    }

    [Fact]
    public async Task The_proof_comes_in_the_standards_header_and_the_token_with_it_stays_the_backends()
    {
        await _gate.PairAsync(_device, header: "DPoP");
        using HttpClient client = _gate.Client(_device, new ProofOptions { Token = "secret" }, "DPoP");
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("DPoP", "secret");

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        IDictionary<string, Microsoft.Extensions.Primitives.StringValues> heard = _gate.Heard.ShouldHaveSingleItem();
        heard.ContainsKey("DPoP").ShouldBeFalse();
        heard["Authorization"].ToString().ShouldBe("DPoP secret");
    }

    [Theory]
    [InlineData("DPoP", "other")]
    [InlineData("Bearer", "secret")]
    public async Task A_proof_for_another_token_does_not_hold(string scheme, string token)
    {
        await _gate.PairAsync(_device, header: "DPoP");
        using HttpClient client = _gate.Client(_device, new ProofOptions { Token = "secret" }, "DPoP");
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(scheme, token);

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        JsonNode problem = await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "invalid_dpop_proof");
        ((string?)problem["claim"]).ShouldBe("ath");
        answer.Headers.WwwAuthenticate.ToString().ShouldBe("DPoP error=\"invalid_dpop_proof\"");
    }

    [Fact]
    public async Task A_proof_in_the_other_header_is_none()
    {
        using HttpClient client = _gate.Client(_device);
        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));
        await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "device_proof_required");
    }

    // Elsewhere that header is between a client and its backend.
    [Fact]
    public async Task On_other_routes_a_DPoP_header_passes_where_it_is_listed()
    {
        await _gate.DisposeAsync();
        _gate = await ProofSetting.StartAsync(options => options with { RequestHeaders = ["DPoP"] });
        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        client.DefaultRequestHeaders.Add("DPoP", "for the backend");

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        _gate.Heard.ShouldHaveSingleItem()["DPoP"].ToString().ShouldBe("for the backend");
    }
}
