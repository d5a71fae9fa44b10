using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Prometheus;

/// <summary>A gateway that Prometheus scrapes, those who come to it, and its operator.</summary>
/// <param name="url">Where devices are served.</param>
/// <param name="admin">Where operators and Prometheus are served.</param>
/// <param name="key">The operator's key.</param>
internal sealed class ObservedGateway(Uri url, string admin, string key)
{
    private readonly ProofSigner _device = ProofSigner.WithEd25519();

    public string Admin => admin;

    /// <summary>Its name in Prometheus.</summary>
    public string Instance { get; } = new Uri(admin).Authority;

    /// <summary>A device sends a request with a proof. Whether it was let through to the agent.</summary>
    public async Task<bool> ProveAsync()
    {
        using var http = new HttpClient(new ProofHandler(_device) { InnerHandler = new SocketsHttpHandler() });
        using HttpResponseMessage answer = await http.GetAsync(new Uri(url, "/proof"));
        return answer.IsSuccessStatusCode;
    }

    /// <summary>A device connects.</summary>
    public async Task<Outcome> ConnectAsync(TestDevice device, Ask ask)
    {
        FrameConnection client = await TestClient.OpenAsync(url.Port);
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync((ask with { Nonce = nonce }).SignedBy(device));
        return await TestClient.OutcomeAsync(client);
    }

    /// <summary>A new device is admitted, and stays.</summary>
    public async Task<(TestDevice Device, Outcome Session)> PairAsync()
    {
        var device = new TestDevice();
        Outcome session = await ConnectAsync(device, new Ask());
        session.ShouldBeAdmitted();
        return (device, session);
    }

    /// <summary>A new device connects and leaves, however it fares.</summary>
    public async Task VisitAsync()
    {
        try
        {
            Outcome outcome = await ConnectAsync(new TestDevice(), new Ask());
            await outcome.Client.DisposeAsync();
        }
        catch (EndOfStreamException)
        {
            // The flood took its place.
        }
    }

    /// <summary>A stranger connects and sends what is no handshake.</summary>
    public async Task IntrudeAsync()
    {
        (int status, _, Stream stream) = await TestClient.RequestAsync(url.Port);
        await using var client = new FrameConnection(stream, masks: true);
        if (status != (int)HttpStatusCode.SwitchingProtocols)
            return; // one of too many
        await client.SendTextAsync("{}");
    }

    /// <summary>Somebody tries a key of operators.</summary>
    public async Task GuessAsync()
    {
        using HttpClient http = Operator("no operator's key, but as long as one");
        (await http.GetAsync("/admin/v1/devices")).StatusCode.ShouldBeOneOf(HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests);
    }

    public async Task ApproveAsync(string request)
    {
        using HttpClient http = Operator(key);
        (await http.PostAsJsonAsync($"/admin/v1/requests/{request}/approve", new { })).EnsureSuccessStatusCode();
    }

    public async Task RemoveAsync(TestDevice device)
    {
        using HttpClient http = Operator(key);
        (await http.DeleteAsync(new Uri($"/admin/v1/devices/{device.Id}", UriKind.Relative))).EnsureSuccessStatusCode();
    }

    private HttpClient Operator(string with)
    {
        var http = new HttpClient { BaseAddress = new Uri(admin) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", with);
        return http;
    }
}
