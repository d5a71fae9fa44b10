using System.Globalization;
using System.Runtime.Versioning;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>A gigabyte each way through a forwarder, whose memory does not grow with it.</summary>
[Collection(nameof(AloneCollection))]
[SupportedOSPlatform("linux")]
public sealed class ForwardBulkTests
{
    private const long Gigabyte = 1L << 30;
    private const long First = 64L << 20; // by then its buffers are made
    private const long MostGrowth = 48L << 20;

    [Fact]
    public async Task Uploads_and_downloads_of_any_size_take_the_same_memory()
    {
        await using ProofSetting gate = await ProofSetting.StartAsync(mapBackend: Map);
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(gate, gate.Address);
        using HttpClient client = forward.Client();
        client.Timeout = Timeout.InfiniteTimeSpan;
        await DownloadAsync(client, First);
        await UploadAsync(client, First);
        long before = PeakMemory(forward.Running.ProcessId);

        await DownloadAsync(client, Gigabyte);
        await UploadAsync(client, Gigabyte);

        (PeakMemory(forward.Running.ProcessId) - before).ShouldBeLessThan(MostGrowth);
    }

    private static void Map(WebApplication backend)
    {
        backend.MapGet("/give/{size:long}", async (HttpContext context, long size) =>
        {
            byte[] buffer = new byte[64 * 1024];
            for (long sent = 0; sent < size; sent += buffer.Length)
                await context.Response.Body.WriteAsync(buffer, context.RequestAborted);
        });
        backend.MapPost("/take", async context =>
        {
            context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
            byte[] buffer = new byte[64 * 1024];
            long taken = 0;
            int length;
            while ((length = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
                taken += length;
            await context.Response.WriteAsync(taken.ToString(CultureInfo.InvariantCulture));
        });
    }

    private static async Task DownloadAsync(HttpClient client, long size)
    {
        using Stream stream = await client.GetStreamAsync($"/give/{size}");
        byte[] buffer = new byte[64 * 1024];
        long taken = 0;
        int length;
        while ((length = await stream.ReadAsync(buffer)) > 0)
            taken += length;
        taken.ShouldBe(size);
    }

    private static async Task UploadAsync(HttpClient client, long size)
    {
        using HttpResponseMessage answer = await client.PostAsync("/take", new Zeros(size));
        (await answer.Content.ReadAsStringAsync()).ShouldBe(size.ToString(CultureInfo.InvariantCulture));
    }

    private static long PeakMemory(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").Single(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    private sealed class Zeros(long size) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            byte[] buffer = new byte[64 * 1024];
            for (long sent = 0; sent < size; sent += buffer.Length)
                await stream.WriteAsync(buffer);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
