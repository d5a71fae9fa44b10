using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Operating;

/// <summary>Talks to the operators' endpoints. Whatever goes wrong becomes one line and an exit code.</summary>
internal sealed class AdminClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly Uri _url;

    public AdminClient(AdminSettings settings)
    {
        _url = settings.Url;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = !_url.IsLoopback };
        _http = new HttpClient(handler) { BaseAddress = _url, Timeout = TimeSpan.FromSeconds(15) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", settings.Key);
    }

    public Task<RequestView> GetRequestAsync(string id, CancellationToken cancellationToken) =>
        GetAsync($"admin/v1/requests/{id}", AdminJsonContext.Default.RequestView, cancellationToken);

    public Task<DeviceView> GetDeviceAsync(string id, CancellationToken cancellationToken) =>
        GetAsync($"admin/v1/devices/{id}", AdminJsonContext.Default.DeviceView, cancellationToken);

    public Task<IReadOnlyList<RequestView>> ListRequestsAsync(CancellationToken cancellationToken) =>
        ListAsync("admin/v1/requests", AdminJsonContext.Default.PageViewRequestView, cancellationToken);

    public Task<IReadOnlyList<DeviceView>> ListDevicesAsync(CancellationToken cancellationToken) =>
        ListAsync("admin/v1/devices", AdminJsonContext.Default.PageViewDeviceView, cancellationToken);

    public async Task<DeviceView> ApproveAsync(string id, IReadOnlyList<string>? scopes, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"admin/v1/requests/{id}/approve");
        if (scopes is not null)
        {
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(new ScopesToGrant(scopes), ClientJsonContext.Default.ScopesToGrant));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        return Read(await SendAsync(request, cancellationToken), AdminJsonContext.Default.DeviceView);
    }

    public async Task<RequestView> RejectAsync(string id, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"admin/v1/requests/{id}/reject");
        return Read(await SendAsync(request, cancellationToken), AdminJsonContext.Default.RequestView);
    }

    public async Task RemoveDeviceAsync(string id, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"admin/v1/devices/{id}");
        await SendAsync(request, cancellationToken);
    }

    public async Task<ImportView> ImportAsync(ImportBody body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "admin/v1/devices/import");
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, AdminInputContext.Default.ImportBody));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return Read(await SendAsync(request, cancellationToken), AdminJsonContext.Default.ImportView);
    }

    public void Dispose() => _http.Dispose();

    private async Task<IReadOnlyList<T>> ListAsync<T>(string path, JsonTypeInfo<PageView<T>> type, CancellationToken cancellationToken)
    {
        var items = new List<T>();
        string? cursor = null;
        do
        {
            string query = cursor is null ? "" : "&cursor=" + Uri.EscapeDataString(cursor);
            PageView<T> page = await GetAsync($"{path}?limit={PageQuery.MaxLimit}{query}", type, cancellationToken);
            items.AddRange(page.Items);
            cursor = page.Next;
        }
        while (cursor is not null);
        return items;
    }

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return Read(await SendAsync(request, cancellationToken), type);
    }

    private async Task<byte[]> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return response.IsSuccessStatusCode ? body : throw Refused(response.StatusCode, body);
        }
        catch (HttpRequestException e)
        {
            throw new CommandFailedException(ExitCodes.Unreachable, $"No gateway answers at {_url} ({e.Message}); is it running? --admin-url names another");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandFailedException(ExitCodes.Unreachable, $"The gateway at {_url} does not answer in time");
        }
    }

    private CommandFailedException Refused(HttpStatusCode status, byte[] body)
    {
        if (status == HttpStatusCode.Unauthorized)
            return new CommandFailedException(ExitCodes.Refused, $"The gateway at {_url} does not know this key; --key-file names another");
        AdminProblem? problem = null;
        try
        {
            problem = JsonSerializer.Deserialize(body, AdminJsonContext.Default.AdminProblem);
        }
        catch (JsonException)
        {
            // Something that is not the gateway; its status has to do.
        }

        string message = problem is { Title.Length: > 0 } ? $"{problem.Title}. {problem.Detail}".Trim() : $"{_url} answers with status {(int)status}";
        return new CommandFailedException(ExitCodes.Refused, message);
    }

    private T Read<T>(byte[] body, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"What answers at {_url} is not the gateway's admin endpoint");
        }
    }
}
