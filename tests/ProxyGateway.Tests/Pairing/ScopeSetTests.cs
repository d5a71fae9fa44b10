using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

public sealed class ScopeSetTests
{
    [Theory]
    [InlineData("operator")]
    [InlineData("operator.read")]
    [InlineData("a:b-c_d")]
    [InlineData("...")]
    [InlineData("..a")]
    public void A_name_is_one(string name) => ScopeSet.IsValidName(name).ShouldBeTrue();

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a,b")]
    [InlineData("a|b")]
    [InlineData("operator.*")]
    [InlineData("%2e%2e")]
    public void What_means_something_to_a_path_or_a_signature_is_none(string name) => ScopeSet.IsValidName(name).ShouldBeFalse();
}
