using System.Runtime.Versioning;
using ProxyGateway.IntegrationTests.Admin;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Something else than the gateway answers where the command line looks for it.</summary>
[SupportedOSPlatform("linux")]
public sealed class ImpostorTests : IDisposable
{
    private const string Key = "impostor-key-impostor-key-impostor-key-imp";

    private readonly ProgramUnderTest _program = new();

    public void Dispose() => _program.Delete();

    [Theory]
    [InlineData("200 OK {}")]
    [InlineData("200 OK {\"proof\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}")]
    [InlineData("200 OK {\"proof\":REFLECTED}")]
    [InlineData("401 Unauthorized {}")]
    [InlineData("404 Not Found {}")]
    [InlineData("307 Temporary Redirect {}")]
    public async Task The_key_is_not_sent_to_a_server_that_does_not_know_it(string answer)
    {
        using var impostor = new Impostor(0, request => answer.Replace("REFLECTED", ProofIn(request)));

        Ended ended = await _program.RunInShellAsync($"PROXYGATEWAY_ADMIN_KEY={Key} \"$@\"", "devices", "list", "--admin-url", impostor.Url);

        ended.ShouldFail(1).ShouldContain("does not know this key");
        impostor.Heard.ShouldNotBeEmpty();
        impostor.Heard.ShouldAllBe(r => !r.Contains(Key) && !r.Contains("Authorization:", StringComparison.OrdinalIgnoreCase));
    }

    // What the client itself has shown.
    private static string ProofIn(string request)
    {
        int at = request.IndexOf("\"proof\":", StringComparison.Ordinal);
        return at < 0 ? "null" : request[(at + 8)..(at + 8 + 45)];
    }
}
