using ProxyGateway.DeviceAuth.Identity;

namespace ProxyGateway.Tests.Identity;

public sealed class BackendHeaderReaderTests
{
    [Theory]
    [InlineData("DeviceHeader=X-Forwarded-User;Value=id")]
    [InlineData("DeviceHeader=x-user;Value=label")]
    [InlineData("DeviceHeader=X-User;Value=role")]
    [InlineData("DeviceHeader=X-User;Value=scopes")]
    [InlineData("DeviceAssertion=X-Device-Assertion")]
    [InlineData("DeviceAssertion=X-Device-Assertion;Algorithm=ES256;Prefix=a ")]
    [InlineData("DeviceAssertion=Authorization;Algorithm=HS256;SecretFile=/f;Prefix=Bearer ")]
    [InlineData("RequestHeaderFromFile=Authorization;File=/f")]
    [InlineData("RequestHeaderFromFile=Authorization;File=/f;Prefix=Bearer ")]
    [InlineData("RequestHeaderFromFile=Cookie;File=/f;Prefix=session=")]
    [InlineData("RequestHeaderFromFile=X-Api-Key;File=f")]
    public void What_is_documented_is_taken(string transform) => ErrorsOf(transform).ShouldBeEmpty();

    [Theory]
    [InlineData("DeviceHeader=X-User", "DeviceHeader \"X-User\", Value: is missing; allowed: id, label, role, scopes.")]
    [InlineData("DeviceHeader=X-User;Value=ID", "DeviceHeader \"X-User\", Value: found \"ID\"; allowed: id, label, role, scopes.")]
    [InlineData("DeviceHeader=X-User;Value=id;Prefix=x", "DeviceHeader \"X-User\", Prefix: unknown key; allowed: DeviceHeader, Value.")]
    [InlineData("DeviceHeader=X User;Value=id", "DeviceHeader: found \"X User\"; allowed: names of headers")]
    [InlineData("DeviceHeader=;Value=id", "DeviceHeader: found \"\"; allowed: names of headers")]
    [InlineData("DeviceHeader=Host;Value=id", "DeviceHeader: found \"Host\"; allowed: names of headers")]
    [InlineData("DeviceHeader=Content-Type;Value=id", "DeviceHeader: found \"Content-Type\"; allowed: names of headers")]
    [InlineData("DeviceHeader=transfer-encoding;Value=id", "DeviceHeader: found \"transfer-encoding\"; allowed: names of headers")]
    [InlineData("DeviceHeader=X-Forwarded-For;Value=id", "DeviceHeader: found \"X-Forwarded-For\"; allowed: names of headers")]
    [InlineData("DeviceHeader=X-Device-Id;Value=id", "DeviceHeader: found \"X-Device-Id\"; allowed: any header but this, which is the gate's own")]
    [InlineData("DeviceHeader=x_device_role;Value=id", "DeviceHeader: found \"x_device_role\"; allowed: any header but this, which is the gate's own")]
    [InlineData("DeviceHeader=Device-Proof;Value=id", "DeviceHeader: found \"Device-Proof\"; allowed: any header but this, which is the gate's own")]
    [InlineData("DeviceHeader=Authorization;Value=id", "DeviceHeader: found \"Authorization\"; allowed: any header but this, which is for credentials.")]
    [InlineData("DeviceHeader=cookie;Value=id", "DeviceHeader: found \"cookie\"; allowed: any header but this, which is for credentials.")]
    [InlineData("DeviceAssertion=X-A;Algorithm=RS256", "DeviceAssertion \"X-A\", Algorithm: found \"RS256\"; allowed: ES256, HS256.")]
    [InlineData("DeviceAssertion=X-A;Algorithm=es256", "DeviceAssertion \"X-A\", Algorithm: found \"es256\"; allowed: ES256, HS256.")]
    [InlineData("DeviceAssertion=X-A;Algorithm=HS256", "DeviceAssertion \"X-A\", SecretFile: is missing; it is a file that only its owner can read")]
    [InlineData("DeviceAssertion=X-A;SecretFile=/f", "DeviceAssertion \"X-A\", SecretFile: is for Algorithm HS256; ES256 signs with a key of the gateway's own.")]
    [InlineData("DeviceAssertion=X-A;File=/f", "DeviceAssertion \"X-A\", File: unknown key; allowed: DeviceAssertion, Algorithm, SecretFile, Prefix.")]
    [InlineData("DeviceAssertion=X-Device-Role", "DeviceAssertion: found \"X-Device-Role\"; allowed: any header but this, which is the gate's own")]
    [InlineData("RequestHeaderFromFile=Authorization", "RequestHeaderFromFile \"Authorization\", File: is missing; it is a file that only its owner can read.")]
    [InlineData("RequestHeaderFromFile=Authorization;File= ", "RequestHeaderFromFile \"Authorization\", File: is missing")]
    [InlineData("RequestHeaderFromFile=Authorization;File=/f;Prefix=a\nb", "RequestHeaderFromFile \"Authorization\", Prefix: has a character that no header can carry.")]
    [InlineData("RequestHeaderFromFile=Authorization;File=/f;Prefixes=x", "RequestHeaderFromFile \"Authorization\", Prefixes: unknown key; allowed: RequestHeaderFromFile, File, Prefix.")]
    [InlineData("RequestHeaderFromFile=Transfer-Encoding;File=/f", "RequestHeaderFromFile: found \"Transfer-Encoding\"; allowed: names of headers")]
    public void Anything_else_is_an_error_that_names_the_key(string transform, string error) => ErrorsOf(transform).ShouldHaveSingleItem().ShouldStartWith(error);

    [Fact]
    public void Transforms_of_YARP_are_left_to_it() => BackendHeaderReader.Read([Parse("RequestHeader=X-User;Set=a"), Parse("PathPrefix=/a")]).ShouldBeEmpty();

    [Fact]
    public void A_route_with_a_transform_that_is_not_valid_is_not_served_without_its_header() =>
        Should.Throw<InvalidOperationException>(() => BackendHeaderReader.Read([Parse("DeviceHeader=X-User;Value=id"), Parse("DeviceHeader=X-Role;Value=rôle")]));

    private static List<string> ErrorsOf(string transform)
    {
        var errors = new List<string>();
        (BackendHeaderReader.Read(Parse(transform), errors) is null).ShouldBe(errors.Count > 0);
        return errors;
    }

    private static Dictionary<string, string> Parse(string transform) =>
        transform.Split(';').Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
}
