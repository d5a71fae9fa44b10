using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>
/// The agent behind all that is compared: challenges, says hello to everybody, and echoes. HTTP and frames are read by hand, on the thread
/// that received them, as it must not be what limits a measurement. On paths below <c>/proof</c> it does not challenge, and answers requests; any other
/// request that is no upgrade is answered with its <see cref="AgentCounts"/>.
/// </summary>
internal sealed class EchoAgent : ConnectionHandler
{
    private const int MaskLength = 4;

    private static readonly byte[] Page = [.. "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"u8, .. new byte[1024]];
    private static readonly byte[] Idle = [.. "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"u8];
    private static readonly byte[] Part = [.. "80\r\n"u8, .. new byte[0x80], .. "\r\n"u8];

    private long _connections;
    private long _messages;

    public static Command Command()
    {
        var command = new Command("echo-agent", "The agent behind what is compared") { Hidden = true };
        command.SetAction(static (_, end) => RunAsync(end));
        return command;
    }

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        PipeWriter output = connection.Transport.Output;
        try
        {
            if (await UpgradeAsync(input, output))
                await AnswerAllAsync(input, output);
        }
        catch (IOException)
        {
            // The other side vanished, as a proxy may whose client does.
        }
    }

    private static async Task<int> RunAsync(CancellationToken end)
    {
        InlineSockets.Use();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddConsole().SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSingleton<EchoAgent>();
        builder.Services.Configure<SocketTransportOptions>(static sockets =>
        {
            sockets.Backlog = 4096;
            sockets.UnsafePreferInlineScheduling = true;
        });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.UseConnectionHandler<EchoAgent>()));
        await using WebApplication app = builder.Build();
        await app.StartAsync(end);
        Console.WriteLine($"The agent listens on {app.Urls.First()}");
        await app.WaitForShutdownAsync(end);
        return 0;
    }

    private async Task<bool> UpgradeAsync(PipeReader input, PipeWriter output)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync();
            if (TryTakeRequest(read.Buffer, out string request, out SequencePosition end))
            {
                bool isUpgrade = request.Contains("\r\nUpgrade: websocket", StringComparison.OrdinalIgnoreCase);
                string path = request.Split(' ', 3)[1];
                input.AdvanceTo(end);
                if (isUpgrade)
                    Accept(output, challenges: !path.StartsWith("/proof", StringComparison.Ordinal));
                else if (path == ProvenRequests.Page)
                    output.Write(Page);
                else if (path == ProvenRequests.Idle)
                    output.Write(Idle);
                else if (path == ProvenRequests.Stream)
                    await StreamAsync(request, input, output);
                else
                    ReportCounts(output);
                await output.FlushAsync();
                if (isUpgrade || !path.StartsWith("/proof", StringComparison.Ordinal))
                    return isUpgrade;
                continue;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
                return false;
        }
    }

    private static bool TryTakeRequest(ReadOnlySequence<byte> buffer, out string request, out SequencePosition end)
    {
        var reader = new SequenceReader<byte>(buffer);
        bool isWhole = reader.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8);
        (request, end) = (Encoding.ASCII.GetString(head), reader.Position);
        return isWhole;
    }

    // Takes the body, and answers in parts, each of which is sent by itself.
    private static async Task StreamAsync(string request, PipeReader input, PipeWriter output)
    {
        const string Length = "\r\nContent-Length: ";
        int at = request.IndexOf(Length, StringComparison.OrdinalIgnoreCase) + Length.Length;
        int length = int.Parse(request.AsSpan(at, request.IndexOf('\r', at) is var e and > 0 ? e - at : request.Length - at), CultureInfo.InvariantCulture);
        ReadResult read = await input.ReadAtLeastAsync(length);
        input.AdvanceTo(read.Buffer.GetPosition(length));
        output.Write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"u8);
        for (int part = 0; part < 8; part++)
        {
            output.Write(Part);
            await output.FlushAsync();
        }

        output.Write("0\r\n\r\n"u8);
    }

    private void Accept(PipeWriter output, bool challenges)
    {
        Interlocked.Increment(ref _connections);

        // All clients here send the key of the example in RFC 6455 §1.3.
        output.Write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"u8);
        output.Write("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"u8);
        if (!challenges)
            return;
        output.Write(FrameWriter.Text(JsonSerializer.SerializeToUtf8Bytes(new
        {
            type = "event",
            @event = "connect.challenge",
            payload = new { nonce = Guid.NewGuid(), ts = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() },
        })));
    }

    private void ReportCounts(PipeWriter output)
    {
        byte[] counts = JsonSerializer.SerializeToUtf8Bytes(new AgentCounts(Interlocked.Read(ref _connections), Interlocked.Read(ref _messages)));
        string head = string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {counts.Length}\r\nConnection: close\r\n\r\n");
        output.Write(Encoding.ASCII.GetBytes(head));
        output.Write(counts);
    }

    private async Task AnswerAllAsync(PipeReader input, PipeWriter output)
    {
        bool isFirst = true;
        bool isOpen = true;
        while (isOpen)
        {
            ReadResult read = await input.ReadAsync();
            ReadOnlySequence<byte> buffer = read.Buffer;
            while (isOpen && TryTakeFrame(ref buffer, out FrameHeader header, out ReadOnlySequence<byte> frame))
            {
                isOpen = Answer(header, frame, isFirst, output);
                isFirst = false;
            }

            input.AdvanceTo(buffer.Start, buffer.End);
            await output.FlushAsync();
            isOpen &= !read.IsCompleted;
        }
    }

    private static bool TryTakeFrame(ref ReadOnlySequence<byte> buffer, out FrameHeader header, out ReadOnlySequence<byte> frame)
    {
        Span<byte> start = stackalloc byte[FrameHeader.MaxLength];
        start = start[..(int)Math.Min(start.Length, buffer.Length)];
        buffer.Slice(0, start.Length).CopyTo(start);
        frame = default;
        FrameHeaderStatus status = FrameHeader.TryRead(start, out header);
        if (status == FrameHeaderStatus.Malformed || (status == FrameHeaderStatus.Complete && !header.IsMasked))
            throw new IOException("What came is no frame of a client.");
        long length = header.HeaderLength + header.PayloadLength;
        if (status != FrameHeaderStatus.Complete || length > buffer.Length)
            return false;
        (frame, buffer) = (buffer.Slice(0, length), buffer.Slice(length));
        return true;
    }

    private bool Answer(FrameHeader header, ReadOnlySequence<byte> frame, bool isFirst, PipeWriter output)
    {
        if (header.Opcode == Opcode.Close)
        {
            output.Write(FrameWriter.CloseToClient(Closing.ClientLeft));
            return false;
        }

        Interlocked.Increment(ref _messages);
        if (isFirst)
            Greet(header, frame, output);
        else
            Echo(header, frame, output);
        return true;
    }

    private static void Greet(FrameHeader header, ReadOnlySequence<byte> frame, PipeWriter output)
    {
        byte[] message = frame.Slice(header.HeaderLength).ToArray();
        Masking.Apply(message, header.Mask);
        using var connect = JsonDocument.Parse(message);
        output.Write(FrameWriter.Text(JsonSerializer.SerializeToUtf8Bytes(new
        {
            type = "res",
            id = connect.RootElement.GetProperty("id").GetString(),
            ok = true,
            payload = new { type = "hello-ok", protocol = 4, server = new { version = "1", connId = Guid.NewGuid() } },
        })));
    }

    private static void Echo(FrameHeader header, ReadOnlySequence<byte> frame, PipeWriter output)
    {
        if (header.Mask != 0)
            throw new IOException("Only what is masked with zeros is echoed: then there is nothing to be done about it.");
        Span<byte> start = output.GetSpan(FrameHeader.MaxLength);
        int length = header.HeaderLength - MaskLength;
        frame.Slice(0, length).CopyTo(start);
        start[1] &= 0x7F;
        output.Advance(length);
        foreach (ReadOnlyMemory<byte> part in frame.Slice(header.HeaderLength))
        {
            output.Write(part.Span);
        }
    }
}
