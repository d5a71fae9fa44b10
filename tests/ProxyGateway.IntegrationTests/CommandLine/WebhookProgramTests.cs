using System.Text;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.IntegrationTests.Webhooks;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The program itself tells a webhook of what happens, with the secret in a file.</summary>
public sealed class WebhookProgramTests : IAsyncLifetime
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly ProgramUnderTest _program = new();
    private WebhookReceiver _receiver = null!;
    private RunningProgram _agent = null!;

    public async Task InitializeAsync()
    {
        _receiver = await WebhookReceiver.StartAsync();
        _agent = await _program.StartAgentAsync();
    }

    public async Task DisposeAsync()
    {
        await _agent.DisposeAsync();
        await _receiver.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task A_request_of_a_device_is_sent_to_the_webhook()
    {
        WriteSecret(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using RunningProgram gateway = _program.StartServer("proxygateway.dll", Settings);
        await gateway.PrintsAsync("Application started");
        string url = (await gateway.PrintsAsync("Now listening on:")).Replace("http", "ws");

        (await _program.RunAsync("connect", url)).ShouldSucceed();
        Ended refused = await _program.RunAsync("connect", url, "--role", "node", "--json");

        await _receiver.HasAsync(1);
        Told told = _receiver.Told.ShouldHaveSingleItem();
        told.Type.ShouldBe("request-opened");
        told.Data.GetProperty("requestId").GetString().ShouldBe(refused.Json.GetProperty("requestId").GetString());
        WebhookSecret.TryParse(Secret, out var secret).ShouldBeTrue();
        told.ShouldBeSignedBy(secret.AsSpan());
    }

    [Fact]
    public async Task A_secret_that_others_can_read_ends_the_start()
    {
        WriteSecret(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        (await _program.RunAsync(Settings)).ShouldFail(1).ShouldContain("chmod 600");
    }

    private string[] Settings =>
    [
        $"--Admin:Webhooks:chat:Url={_receiver.Url}", "--Admin:Webhooks:chat:SecretFile=chat.secret", "--Admin:Webhooks:chat:Events:0=request-opened",
    ];

    private void WriteSecret(UnixFileMode mode)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = mode;
        using var file = new FileStream(Path.Combine(_program.Folder, "chat.secret"), options);
        file.Write(Encoding.ASCII.GetBytes(Secret + "\n"));
    }
}
