using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Operating.Importing;

namespace ProxyGateway.IntegrationTests.CommandLine.Importing;

/// <summary>What rows of OpenClaw's file become.</summary>
public sealed class OpenClawStateTests
{
    private static readonly byte[] RawKey = [.. Enumerable.Range(0, 32).Select(i => (byte)(i * 7))];
    private static readonly string Key = Base64Url.EncodeToString(RawKey);
    private static readonly string Id = DeviceId.Of(RawKey).ToString();
    private static readonly DateTimeOffset Now = new(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);

    /// <summary>Members of a row -> its grants, as role:scopes; a role without a colon has no scopes on record.</summary>
    [Theory]
    [InlineData("no role at all", "", "legacy")]
    [InlineData("an empty list of roles", "'roles':[]", "legacy")]
    [InlineData("an empty list of roles hides the role beside it", "'roles':[],'role':'operator'", "legacy")]
    [InlineData("scopes without a role", "'scopes':['operator.admin']", "legacy")]
    [InlineData("one role, before there were lists", "'role':'operator'", "operator")]
    [InlineData("null is absent", "'role':'operator','roles':null,'scopes':null,'tokens':null", "operator")]
    [InlineData("the list counts, not the role beside it", "'role':'operator','roles':['node']", "node")]
    [InlineData("names are trimmed, and blank ones are none", "'roles':[' operator ','',' ']", "operator")]
    [InlineData("scopes of the device, no tokens", "'roles':['operator'],'scopes':['operator.read','operator.write']", "operator:operator.read operator.write")]
    [InlineData("approvedScopes alone", "'roles':['operator'],'approvedScopes':['operator.read']", "operator:operator.read")]
    [InlineData("scopes beyond what was approved", "'roles':['operator'],'scopes':['operator.read','operator.admin'],'approvedScopes':['operator.read']", "operator:operator.read")]
    [InlineData("scopes that what was approved implies", "'roles':['operator'],'scopes':['operator.read'],'approvedScopes':['operator.admin']", "operator:operator.read")]
    [InlineData("a list of none", "'roles':['operator'],'scopes':[]", "operator")]
    [InlineData("operator's scopes are not node's", "'roles':['node','operator'],'scopes':['operator.read']", "node; operator:operator.read")]
    [InlineData("scopes of a role that it does not hold", "'roles':['node'],'scopes':['operator.admin']", "node")]
    [InlineData("a prefix is a whole word", "'roles':['op','operator'],'scopes':['operator.read']", "op; operator:operator.read")]
    [InlineData("a scope of no role, without a token", "'roles':['operator'],'scopes':['x']", "operator")]
    [InlineData("a scope of no role, with the token of one", "'roles':['node','operator'],'scopes':['x'],'tokens':{'node':{'scopes':['x']}}", "node:x; operator")]
    [InlineData("a token for less", "'roles':['operator'],'scopes':['operator.admin'],'tokens':{'operator':{'scopes':['operator.read']}}", "operator:operator.read")]
    [InlineData("a token for more", "'roles':['operator'],'scopes':['operator.read'],'tokens':{'operator':{'scopes':['operator.admin']}}", "operator:operator.read")]
    [InlineData("a token for something else", "'roles':['operator'],'scopes':['operator.read'],'tokens':{'operator':{'scopes':['operator.pairing']}}", "operator:")]
    [InlineData("a token without anything approved", "'roles':['operator'],'tokens':{'operator':{'scopes':['operator.admin']}}", "operator:")]
    [InlineData("a token of no scopes", "'roles':['node'],'tokens':{'node':{'scopes':[]}}", "node:")]
    [InlineData("a token that says nothing of scopes", "'roles':['operator'],'scopes':['operator.read'],'tokens':{'operator':{}}", "operator:operator.read")]
    [InlineData("another role's scopes in a token", "'roles':['node','operator'],'scopes':['operator.read'],'tokens':{'node':{'scopes':['operator.read']}}", "node:; operator:operator.read")]
    [InlineData("a scope of a known role that it does not hold, in a token", "'roles':['node'],'scopes':['operator.admin'],'tokens':{'node':{'scopes':['operator.admin']}}", "node:")]
    [InlineData("a token for a role that was not approved", "'roles':['node'],'tokens':{'operator':{'scopes':['operator.admin']}}", "node")]
    [InlineData("one of two tokens revoked", "'roles':['node','operator'],'scopes':['operator.read'],'tokens':{'node':{'revokedAtMs':1},'operator':{'scopes':['operator.read']}}", "operator:operator.read")]
    [InlineData("revoked at 0 is not revoked", "'roles':['node'],'tokens':{'node':{'scopes':[],'revokedAtMs':0}}", "node:")]
    [InlineData("tokens as a list", "'roles':['operator'],'scopes':['operator.admin'],'tokens':[{'role':'operator','scopes':['operator.read']}]", "operator:operator.read")]
    [InlineData("all tokens revoked", "'roles':['operator'],'scopes':['operator.read'],'tokens':{'operator':{'revokedAtMs':1}}", "skipped: its token was revoked there")]
    [InlineData("all tokens revoked, and no role", "'tokens':[{'role':'operator','revokedAtMs':'yes'}]", "skipped: its token was revoked there")]
    [InlineData("an id of another key", "'deviceId':'0000000000000000000000000000000000000000000000000000000000000000'", "skipped: its id is not that of publicKey")]
    [InlineData("an id of another kind", "'deviceId':7", "skipped: its id is not that of publicKey")]
    [InlineData("a role that is no name", "'roles':['operator|admin']", "skipped: roles holds what is no name*")]
    [InlineData("a role that is no text", "'role':7", "skipped: role holds what is no name*")]
    [InlineData("a wildcard", "'roles':['operator'],'scopes':['*']", "skipped: scopes holds what is no name*")]
    [InlineData("a scope that is no Unicode", @"'roles':['operator'],'scopes':['\ud800']", "skipped: scopes holds what is no name*")]
    [InlineData("scopes as text", "'roles':['operator'],'scopes':'operator.read'", "skipped: scopes is not a list*")]
    [InlineData("tokens as text", "'roles':['operator'],'tokens':'secret'", "skipped: tokens are neither*")]
    [InlineData("a token that is none", "'roles':['operator'],'tokens':{'operator':'secret'}", "skipped: tokens hold what is no role's token")]
    [InlineData("a token of another role", "'roles':['operator'],'tokens':{'operator':{'role':'node'}}", "skipped: tokens hold what is no role's token")]
    [InlineData("two tokens of a role", "'roles':['operator'],'tokens':[{'role':'operator'},{'role':'operator'}]", "skipped: tokens hold what is no role's token")]
    [InlineData("a member twice", "'roles':['operator'],'roles':['node']", "skipped: a member is there twice")]
    [InlineData("a member twice, further in", "'roles':['operator'],'tokens':{'operator':{'revokedAtMs':1,'revokedAtMs':0}}", "skipped: a member is there twice")]
    [InlineData("a private key beside it", "'roles':['operator'],'privateKeyPem':'secret','displayName':7", "operator")]
    public void A_row_grants_what_that_gateway_honours(string what, string members, string expected)
    {
        string row = $"{{'publicKey':'{Key}'{(members.Length > 0 ? "," : "")}{members}}}".Replace('\'', '"');

        Describe(Read($$"""{"{{Id}}":{{row}}}""").ShouldHaveSingleItem()).ShouldMatchText(expected, what);
    }

    [Theory]
    [InlineData("base64", true)]
    [InlineData("padded", true)]
    [InlineData("pem", true)]
    [InlineData("private pem", false)]
    [InlineData("short", false)]
    [InlineData("none", false)]
    public void Keys_are_read_in_every_form_that_OpenClaw_used(string form, bool taken)
    {
        byte[] spki = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00, .. RawKey];
        string key = form switch
        {
            "base64" => Convert.ToBase64String(RawKey).TrimEnd('='),
            "padded" => Convert.ToBase64String(RawKey),
            "pem" => PemEncoding.WriteString("PUBLIC KEY", spki) + "\n",
            "private pem" => PemEncoding.WriteString("PRIVATE KEY", spki),
            "short" => Key[1..],
            _ => "",
        };

        ImportRow row = Read($$"""{"{{Id}}": {"publicKey":{{JsonSerializer.Serialize(key)}},"role":"node"} }""").ShouldHaveSingleItem();

        row.Id.ToString().ShouldBe(Id);
        (row.Device?.PublicKey).ShouldBe(taken ? Key : null);
        Describe(row).ShouldBe(taken ? "node" : "skipped: publicKey is not an Ed25519 key");
    }

    [Fact]
    public void An_invalid_row_does_not_affect_the_others()
    {
        string sound = $$"""{"publicKey":"{{Key}}","role":"node"}""";

        Read($$"""{"a":null,"b":7,"c":{},"":{{sound}},"{{Id}}":{{sound}} }""").Select(Describe).ShouldBe(
        [
            "skipped: it is not an object", "skipped: it is not an object", "skipped: publicKey is not an Ed25519 key",
            "skipped: its id is not that of publicKey", "node",
        ]);
        Read($$"""{"{{Id}}":{{sound}}, "{{Id}}":{{sound}} }""").Select(Describe).ShouldBe(["skipped: the file has it twice", "skipped: the file has it twice"]);
        Read($$"""{"pending":[],"paired":[{{sound}}]}""").Select(Describe).ShouldBe(["skipped: it has no id"]);
        Read($$"""{"paired":[{"deviceId":"{{Id}}","publicKey":"{{Key}}","role":"node"}]}""").Select(Describe).ShouldBe(["node"]);
        Read("{}").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""'grants':{'operator':{'scopes':['operator.read'],'approvedAt':'2026-01-01T00:00:00Z','approvedBy':'ops'},'node':{}}""", "node; operator:operator.read")]
    [InlineData("""'grants':{'operator':{'scopes':['a','b'],'rule':'x','parts':{'rules':{'x':['b']},'approvedBy':'ops','approvedAt':'2026-01-01T00:00:00Z'}}}""", "operator:a b (x: b)")]
    [InlineData("""'grants':{'operator':{'scopes':['a'],'rule':'x'},'node':{'scopes':[],'rule':'x'}}""", "node: (role x); operator:a (role x, x: a)")]
    [InlineData("""'grants':{'node':{'parts':{'rules':{},'roles':{}}}}""", "skipped: the parts of a grant are not rules with scopes")]
    [InlineData("""'grants':{'node':{'parts':{'role':'x'}}}""", "skipped: the parts of a grant are not rules with scopes")]
    [InlineData("""'grants':{'node':{'rule':7}}""", "skipped: rule holds what is no name*")]
    [InlineData("""'grants':{},'legacy':true""", "legacy")]
    [InlineData("""'grants':{'node':{'scopes':[],'until':'2026-11-22T08:00:00Z'},'operator':{}}""", "operator")]
    [InlineData("""'grants':{'node':{'scopes':[],'until':'2026-11-22T08:00:00Z'}},'legacy':true""", "skipped: all that it held has ended")]
    [InlineData("""'grants':{'node':{'until':'soon'}}""", "skipped: until is not a time")]
    [InlineData("""'grants':{'node':{'upTo':'x'}}""", "skipped: a grant has a member that is not known here")]
    [InlineData("""'grants':{'node':{}},'suspended':true""", "skipped: it has a member that is not known here")]
    [InlineData("""'grants':{'node':{}},'block':{'at':'2026-01-01T00:00:00Z','by':'ops'}""", "skipped: it is blocked there")]
    [InlineData("""'grants':{'node':{'scopes':['*']}}""", "skipped: scopes holds what is no name*")]
    [InlineData("""'grants':{}""", "skipped: nothing is granted to it")]
    [InlineData("""'grants':[]""", "skipped: grants are not an object")]
    public void An_exported_row_grants_what_it_granted_there(string members, string expected)
    {
        string row = $"{{'id':'{Id}','publicKey':'{Key}',{members}}}".Replace('\'', '"');

        foreach (string list in new[] { "devices", "items" })
            Describe(Read($$"""{"{{list}}":[{{row}}],"next":null}""").ShouldHaveSingleItem()).ShouldMatchText(expected, list);
    }

    [Theory]
    [InlineData("")]
    [InlineData("secret")]
    [InlineData("[]")]
    [InlineData("""{"a":{"b":"secret"}}""")]
    public void A_file_without_devices_is_refused_and_not_quoted(string text) =>
        Should.Throw<InvalidDataException>(() => Read(text)).Message.ShouldNotContain("secret");

    [Fact]
    public void Devices_are_sent_in_batches_that_the_gateway_accepts()
    {
        ImportDeviceBody Device(int scopes) => new()
        {
            PublicKey = Key,
            Grants = new Dictionary<string, ImportGrantBody> { ["operator"] = new() { Scopes = ScopeSet.Of(Enumerable.Range(0, scopes).Select(i => $"operator.{i}{new string('x', 110)}")) } },
        };

        ImportCommand.Chunks(Enumerable.Repeat(Device(1), 501)).Select(c => c.Count).ShouldBe([100, 100, 100, 100, 100, 1]);
        ImportCommand.Chunks(Enumerable.Repeat(Device(256), 150)).Select(c => c.Count).ShouldAllBe(count => count < 80);
        ImportCommand.Chunks([]).ShouldBeEmpty();
    }

    private static IReadOnlyList<ImportRow> Read(string text) => DeviceFile.Read(Encoding.UTF8.GetBytes(text), Now);

    private static string Describe(ImportRow row) => row switch
    {
        { Device: null } => $"skipped: {row.Problem}",
        { Device.Legacy: true, Device.Grants.Count: 0 } => "legacy",
        { Device.Legacy: false } => string.Join("; ", row.Device.Grants.Select(g => (g.Value.Scopes is { } scopes ? $"{g.Key}:{scopes}" : g.Key) + Parts(g.Value.Parts))),
        _ => "legacy with grants",
    };

    private static string Parts(ImportPartsBody? parts) => parts is null
        ? ""
        : $" ({string.Join(", ", parts.Rules.Select(r => $"{r.Key}: {r.Value}").Prepend(parts.Role is null ? "" : $"role {parts.Role}").Where(p => p.Length > 0))})";
}

/// <summary>Expected texts that may end with a star.</summary>
internal static class TextMatch
{
    public static void ShouldMatchText(this string text, string expected, string what)
    {
        if (expected.EndsWith('*'))
            text.ShouldStartWith(expected[..^1], Case.Sensitive, what);
        else
            text.ShouldBe(expected, what);
    }
}
