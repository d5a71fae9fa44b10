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
    public void A_valid_name_is_accepted(string name) => ScopeSet.IsValidName(name).ShouldBeTrue();

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
    public void A_name_with_characters_of_paths_or_signatures_is_refused(string name) => ScopeSet.IsValidName(name).ShouldBeFalse();
}
