using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.Operating;

/// <summary>A client of the operators' endpoints. Every failure becomes one line and an exit code.</summary>
internal sealed class AdminClient : IDisposable
{
    private const string AuditOff = "urn:proxygateway:problem:audit-off"; // Registry:AuditEntries is 0

    private static readonly Uri LocalUrl = new("http://localhost");

    private readonly HttpClient _http;
    private readonly string _url;

    private AdminClient(string? key, Uri url, string shownUrl, Func<CancellationToken, ValueTask<Stream>>? connect)
    {
        _url = shownUrl;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = !url.IsLoopback };
        if (connect is not null)
            handler.ConnectCallback = (_, cancellationToken) => connect(cancellationToken);
        _http = new HttpClient(handler) { BaseAddress = url, Timeout = TimeSpan.FromSeconds(15) };
        if (key is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>
    /// A client of the gateway: by its socket, if the settings name one that exists, else by its URL. Nothing is sent yet.
    /// </summary>
    /// <exception cref="CommandFailedException">The settings name only a socket, and nothing listens there.</exception>
    public static async Task<AdminClient> OpenAsync(AdminSettings settings, CancellationToken cancellationToken)
    {
        if (settings.Socket is { } path)
        {
            string shown = "unix:" + path;
            ValueTask<Stream> ConnectAsync(CancellationToken token) => LocalSocket.ConnectAsync(path, LocalUrl, settings.Key, token);
            if (await LocalSocket.TryConnectAsync(path, cancellationToken) is { } connection)
            {
                connection.Dispose();
                return new AdminClient(settings.Key, LocalUrl, shown, ConnectAsync);
            }

            if (settings.Url is null)
                throw new CommandFailedException(ExitCodes.Unreachable, $"No gateway of this user or root listens on {shown}; is it running?");
        }

        // With https the certificate identifies the gateway, and without a key there is nothing that another server could steal.
        Uri url = settings.Url!;
        return new AdminClient(
            settings.Key, url, url.ToString(), url.Scheme == Uri.UriSchemeHttps || settings.Key is not { } key ? null : token => ProvenConnection.OpenAsync(url, key, token));
    }

    /// <summary>Reads the text at a path.</summary>
    public async Task<string> GetTextAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return Encoding.UTF8.GetString(await SendAsync(request, cancellationToken));
    }

    /// <summary>Reads the resource at a path.</summary>
    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return Read(await SendAsync(request, cancellationToken), type);
    }

    /// <summary>Reads the resource at a path; null if there is none.</summary>
    public async Task<T?> FindAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using HttpResponseMessage response = await ReachAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        return response.StatusCode == HttpStatusCode.NotFound ? null : Read(await BodyAsync(response, cancellationToken), type);
    }

    /// <summary>Reads a list to its end, or until it has the requested number of items.</summary>
    public async Task<IReadOnlyList<T>> ListAsync<T>(
        string path, JsonTypeInfo<PageView<T>> type, CancellationToken cancellationToken, int limit = int.MaxValue)
    {
        var items = new List<T>();
        string? cursor = null;
        do
        {
            string query = $"{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}limit={Math.Min(limit - items.Count, AdminJson.MaxPageItems)}";
            if (cursor is not null)
                query += "&cursor=" + Uri.EscapeDataString(cursor);
            PageView<T> page = await GetAsync(path + query, type, cancellationToken);
            items.AddRange(page.Items);
            cursor = page.Next;
        }
        while (cursor is not null && items.Count < limit);
        return items;
    }

    /// <summary>Requests a change, and reads the result.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">The resource to change.</param>
    /// <param name="body">The body; null for none.</param>
    /// <param name="type">The type of the answer.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <param name="ifVersion">The version that the operator saw; null: any.</param>
    public async Task<T> ChangeAsync<T>(
        HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellationToken, string? ifVersion = null)
    {
        using HttpRequestMessage request = Change(method, path, body, ifVersion);
        return Read(await SendAsync(request, cancellationToken), type);
    }

    /// <summary>Deletes the resource at a path.</summary>
    public async Task DeleteAsync(string path, CancellationToken cancellationToken, string? ifVersion = null)
    {
        using HttpRequestMessage request = Change(HttpMethod.Delete, path, body: null, ifVersion);
        await SendAsync(request, cancellationToken);
    }

    /// <summary>Opens the stream of events; null if the gateway keeps no audit, and so has none.</summary>
    /// <param name="lastEventId">The last event that was received; null for new ones only.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public async Task<HttpResponseMessage?> OpenEventsAsync(string? lastEventId, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "admin/v1/events");
        if (lastEventId is not null)
            request.Headers.Add("Last-Event-ID", lastEventId);
        HttpResponseMessage response = await ReachAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
        {
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return Problem(body) is { Type: var type } && type == AuditOff ? null : throw Refused(response.StatusCode, body);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>A body of JSON.</summary>
    public static HttpContent Json<T>(T body, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static HttpRequestMessage Change(HttpMethod method, string path, HttpContent? body, string? ifVersion)
    {
        var request = new HttpRequestMessage(method, path) { Content = body };
        if (ifVersion is not null)
            request.Headers.IfMatch.Add(new EntityTagHeaderValue($"\"{ifVersion}\""));
        return request;
    }

    private async Task<byte[]> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await ReachAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        return await BodyAsync(response, cancellationToken);
    }

    private async Task<byte[]> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return response.IsSuccessStatusCode ? body : throw Refused(response.StatusCode, body);
    }

    private async Task<HttpResponseMessage> ReachAsync(
        HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        try
        {
            return await _http.SendAsync(request, completion, cancellationToken);
        }
        catch (HttpRequestException e) when (e.InnerException is CommandFailedException failed)
        {
            throw new CommandFailedException(failed.ExitCode, failed.Message);
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
        string message = Problem(body) is { Title.Length: > 0 } problem ? $"{problem.Title}. {problem.Detail}".Trim() : $"{_url} answers with status {(int)status}";
        return new CommandFailedException(ExitCodes.Refused, message);
    }

    private static ProblemAnswer? Problem(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, ClientJsonContext.Default.ProblemAnswer);
        }
        catch (JsonException)
        {
            return null; // this is not the gateway; the status alone is reported
        }
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
