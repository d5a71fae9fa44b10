using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>The commands at a gateway with TLS, whose certificate no authority of the system has issued.</summary>
[SupportedOSPlatform("linux")]
public sealed class ForwardTlsTests(ForwardTlsTests.Setting setting) : IClassFixture<ForwardTlsTests.Setting>
{
    [Fact]
    public async Task Requests_streams_and_WebSockets_pass_over_HTTP2()
    {
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(setting.Gate, setting.Gate.TlsAddress, "--ca", setting.Certificate);
        using var patience = new CancellationTokenSource(Eventually.Patience);
        setting.Protocols.Clear();
        using HttpClient client = forward.Client();

        (await client.GetStringAsync("/work", patience.Token)).ShouldBe("done");
        using (HttpResponseMessage events = await client.GetAsync("/stream", HttpCompletionOption.ResponseHeadersRead, patience.Token))
        using (Stream stream = await events.Content.ReadAsStreamAsync(patience.Token))
            (await stream.ReadAsync(new byte[64], patience.Token)).ShouldBeGreaterThan(0);
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("chat");
        await socket.ConnectAsync(new UriBuilder(forward.Address) { Scheme = "ws", Path = "/socket/chat" }.Uri, patience.Token);
        await socket.SendTextAsync("hello", patience.Token);
        (await socket.ReceiveTextAsync(patience.Token)).ShouldBe("hello");
        socket.SubProtocol.ShouldBe("chat");

        setting.Protocols.Distinct().ShouldBe(["HTTP/2 GET", "HTTP/2 CONNECT"]); // the first request may need another nonce
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_refused_and_the_way_out_is_named()
    {
        foreach (string scheme in (string[])["https", "wss"])
        {
            string error = (await setting.Program.RunAsync("pair", new UriBuilder(setting.Gate.TlsAddress) { Scheme = scheme }.Uri.ToString())).Error;
            error.ShouldContain("certificate");
            error.ShouldContain("--ca");
        }

        await using ForwardProgram forward = await ForwardProgram.StartAsync(setting.Gate.TlsAddress);
        (await forward.SaysAsync("the gateway cannot be reached")).ShouldContain("--ca");
        Ended mcp = await setting.Program.RunInShellAsync(
            """echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}' | "$@" """, "mcp", setting.Gate.TlsAddress.ToString());
        mcp.Output.ShouldContain("--ca");
    }

    [Fact]
    public async Task A_file_of_authorities_trusts_no_other_and_no_other_name()
    {
        string other = Path.Combine(setting.Program.Folder, "other.crt");
        using (X509Certificate2 stranger = NewCertificate(IPAddress.Loopback))
            await File.WriteAllTextAsync(other, stranger.ExportCertificatePem());

        (await setting.Program.RunAsync("pair", setting.Gate.TlsAddress.ToString(), "--ca", other)).Error.ShouldContain("not trusted");
        var name = new UriBuilder(setting.Gate.TlsAddress) { Host = "localhost" }; // not in the certificate
        (await setting.Program.RunAsync("pair", name.Uri.ToString(), "--ca", setting.Certificate)).Error.ShouldContain("not trusted");
        (await setting.Program.RunAsync("pair", setting.Gate.TlsAddress.ToString(), "--ca", "missing.crt")).ShouldFail(1);
    }

    [Fact]
    public async Task A_gateway_without_a_certificate_says_where_to_name_one()
    {
        setting.Program.Configure("http://127.0.0.1:1");

        (await setting.Program.RunAsync("--Urls=https://127.0.0.1:0")).Error.ShouldContain("Kestrel:Certificates:Default:Path");
    }

    [Fact]
    public async Task The_bridge_for_MCP_hosts_passes_the_file_on()
    {
        Ended printed = (await setting.Program.RunAsync("mcp", "https://gate.example/mcp", "--ca", Path.GetRelativePath(setting.Program.Folder, setting.Certificate), "--print-config", "cursor")).ShouldSucceed();

        printed.Output.ShouldContain("\"--ca\"");
        printed.Output.ShouldContain($"\"{setting.Certificate}\"");
    }

    private static X509Certificate2 NewCertificate(IPAddress address)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=gate", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
    }

    /// <summary>One gate for the class.</summary>
    public sealed class Setting : IAsyncLifetime
    {
        internal ProofSetting Gate { get; private set; } = null!;

        internal ProgramUnderTest Program { get; } = new();

        /// <summary>The protocol and the method of each request at the gate.</summary>
        internal ConcurrentQueue<string> Protocols { get; } = [];

        /// <summary>The file with the gate's certificate.</summary>
        internal string Certificate => Path.Combine(Program.Folder, "gate.crt");

        public async Task InitializeAsync()
        {
            X509Certificate2 certificate = NewCertificate(IPAddress.Loopback);
            await File.WriteAllTextAsync(Certificate, certificate.ExportCertificatePem());
            Gate = await ProofSetting.StartAsync(certificate: certificate, services: services => services.AddSingleton<IStartupFilter>(new Recorder(Protocols)));
        }

        public async Task DisposeAsync()
        {
            await Gate.DisposeAsync();
            Program.Delete();
        }
    }

    private sealed class Recorder(ConcurrentQueue<string> protocols) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, rest) =>
            {
                if (!HttpMethods.IsOptions(context.Request.Method)) // the forwarder's own questions
                    protocols.Enqueue($"{context.Request.Protocol} {context.Request.Method}");
                return rest(context);
            });
            next(app);
        };
    }
}
