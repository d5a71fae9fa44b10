using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.Tests.Configuration;

namespace ProxyGateway.Tests.Admin;

public sealed class AdminOptionsReaderTests
{
    private const string Hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    [Fact]
    public void By_default_operators_have_loopback_and_a_key_file()
    {
        (AdminOptions options, IReadOnlyList<string> errors) = Read("{}");

        errors.ShouldBeEmpty();
        options.Url.ShouldBe(new Uri("http://127.0.0.1:9090"));
        options.KeyFile.ShouldBe("data/admin.key");
        options.Socket.ShouldBeNull();
        options.Keys.ShouldBeEmpty();
    }

    [Fact]
    public void Configured_keys_are_read()
    {
        (AdminOptions options, IReadOnlyList<string> errors) = Read($$"""
            { "Url": "https://0.0.0.0:9090", "KeyFile": "k", "Keys": {
              "ops": { "Sha256": "{{Hash.ToUpperInvariant()}}", "Role": "approver", "UpTo": { "operator": ["operator.write"], "node": [] } },
              "eye": { "Sha256": "{{new string('0', 64)}}", "Role": "Viewer" } } }
            """);

        errors.ShouldBeEmpty();
        AdminKeyOptions ops = options.Keys.Single(k => k.Name == "ops");
        Convert.ToHexStringLower([.. ops.Sha256]).ShouldBe(Hash);
        ops.Role.ShouldBe(AdminRole.Approver);
        ops.UpTo.ShouldNotBeNull()["operator"].ShouldBe(["operator.write"]);
        AdminKeyOptions eye = options.Keys.Single(k => k.Name == "eye");
        eye.Role.ShouldBe(AdminRole.Viewer);
        eye.UpTo.ShouldBeNull();
    }

    [Theory]
    [InlineData("http://localhost:9090")]
    [InlineData("http://[::1]:9090/")]
    [InlineData("http://127.0.0.2:0")]
    [InlineData("https://gateway.internal")]
    public void An_address_on_which_no_key_can_be_overheard_is_allowed(string url) => Read($$"""{ "Url": "{{url}}" }""").Errors.ShouldBeEmpty();

    [Theory]
    [InlineData("""{ "Url": "http://0.0.0.0:9090" }""", "Admin:Url: found \"http://0.0.0.0:9090\"; allowed: http://127.0.0.1:port")]
    [InlineData("""{ "Url": "http://gateway.internal:9090" }""", "Admin:Url: found")]
    [InlineData("""{ "Url": "http://127.0.0.1:9090/admin" }""", "Admin:Url: found")]
    [InlineData("""{ "Url": "http://*:9090" }""", "Admin:Url: found")]
    [InlineData("""{ "Url": "http://127.0.0.1.evil.example" }""", "Admin:Url: found")]
    [InlineData("""{ "Url": "ftp://127.0.0.1" }""", "Admin:Url: found")]
    [InlineData("""{ "Socket": " " }""", "Admin:Socket: found \" \"; allowed: a path of up to 80 bytes")]
    [InlineData("""{ "Socket": "long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long" }""", "Admin:Socket: found")]
    [InlineData("""{ "KeyFile": "" }""", "Admin:KeyFile: found \"\"")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH" } } }""", "Admin:Keys:ops:Role: is missing; allowed: viewer, approver.")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH", "Role": "owner" } } }""", "Admin:Keys:ops:Role: found \"owner\"; allowed: Viewer, Approver.")]
    [InlineData("""{ "Keys": { "ops": { "Role": "viewer" } } }""", "Admin:Keys:ops:Sha256: is missing")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH0", "Role": "viewer" } } }""", "Admin:Keys:ops:Sha256: is no SHA-256")]
    [InlineData("""{ "Keys": { "o p s": { "Sha256": "HASH", "Role": "viewer" } } }""", "Admin:Keys:o p s: has no proper name")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH", "Role": "approver", "UpTo": { "operator": ["a b"] } } } }""", "Admin:Keys:ops:UpTo:operator: found \"a b\"")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH", "Role": "approver", "UpTo": { } } } }""", "Admin:Keys:ops:UpTo: found null or {}")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH", "Role": "approver", "Key": "secret" } } }""", "Admin:Keys:ops:Key: unknown key; allowed here: Sha256, Role, UpTo, Audiences.")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH", "Role": "approver", "Audiences": ["Agent"] } } }""", "Admin:Keys:ops:Audiences: found \"Agent\"; allowed: audiences, each 1 to 64")]
    [InlineData("""{ "Keys": { "ops": { "Sha256": "HASH", "Role": "approver", "Audiences": [] } } }""", "Admin:Keys:ops:Audiences: is empty")]
    [InlineData("""{ "Keys": { "a": { "Sha256": "HASH", "Role": "viewer" }, "b": { "Sha256": "HASH", "Role": "viewer" } } }""", "Admin:Keys: a and b are the same key")]
    public void An_invalid_value_is_reported_with_its_key(string json, string error) =>
        Read(json.Replace("HASH", Hash, StringComparison.Ordinal)).Errors.ShouldHaveSingleItem().ShouldStartWith(error);

    [Fact]
    public void A_key_in_place_of_its_hash_is_not_quoted() =>
        Read("""{ "Keys": { "ops": { "Sha256": "the key itself", "Role": "viewer" } } }""").Errors.ShouldHaveSingleItem().ShouldNotContain("the key itself");

    [Fact]
    public void A_key_in_place_of_its_section_is_not_quoted() =>
        Read("""{ "Keys": { "ops": "the key itself" } }""").Errors.ShouldAllBe(e => !e.Contains("the key itself"));

    private static (AdminOptions Options, IReadOnlyList<string> Errors) Read(string json)
    {
        var errors = new ConfigurationErrors();
        return (AdminOptionsReader.Read(Configurations.Json($$"""{ "Admin": {{json}} }"""), errors), errors.All);
    }
}
