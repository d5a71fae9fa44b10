using System.Collections;
using System.Text.Json;
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

    [Theory]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void A_name_has_128_characters_at_most(int length, bool isOne) => ScopeSet.IsValidName(new string('x', length)).ShouldBe(isOne);

    [Fact]
    public void A_set_is_sorted_without_repetitions_and_equal_by_content()
    {
        ScopeSet set = ScopeSet.Of("b", "a", "b", "B", "a");

        set.ShouldBe(["B", "a", "b"]);
        set.Count.ShouldBe(3);
        (set[0], set[2]).ShouldBe(("B", "b"));
        set.ToString().ShouldBe("B a b");
        ((IEnumerable)set).Cast<string>().ShouldBe(["B", "a", "b"]);
        set.Bytes.ShouldBe(3 * 4, "quotes and a comma");

        ScopeSet same = ScopeSet.Of("a", "b", "B");
        (set.Equals(same), set.Equals((object)same), set.GetHashCode() == same.GetHashCode()).ShouldBe((true, true, true));
        ScopeSet other = ScopeSet.Of("a", "b");
        (set.Equals(other), set.Equals((object)"B a b")).ShouldBe((false, false));
        other.GetHashCode().ShouldNotBe(set.GetHashCode());
        ScopeSet.Of().ShouldBeSameAs(ScopeSet.Empty);
        (ScopeSet.Empty.Count, ScopeSet.Empty.Bytes).ShouldBe((0, 0));
        ScopeSet.Empty.Equals((ScopeSet?)null).ShouldBeFalse();
        ScopeSet.Empty.Equals((object?)null).ShouldBeFalse();
    }

    [Fact]
    public void Sets_are_added_to_and_taken_from_each_other()
    {
        ScopeSet set = ScopeSet.Of("a", "b");

        set.Union(ScopeSet.Of("c", "a")).ShouldBe(["a", "b", "c"]);
        set.Without("b", "x").ShouldBe(["a"]);
        set.Without("b", "a").ShouldBe(ScopeSet.Empty);
        set.Without("B", "x").ShouldBeSameAs(set);
        (set.Contains("a"), set.Contains("b"), set.Contains("A"), set.Contains("ab"), ScopeSet.Empty.Contains("a")).ShouldBe((true, true, false, false, false));
    }

    [Theory]
    [InlineData("[]", "[]")]
    [InlineData("""["b","a","b"]""", """["a","b"]""")]
    [InlineData("null", null)]
    [InlineData("\"a\"", "not")]
    [InlineData("{}", "not")]
    [InlineData("1", "not")]
    [InlineData("[1]", "not")]
    [InlineData("[null]", "not")]
    [InlineData("[[\"a\"]]", "not")]
    [InlineData("""["a b"]""", "not")]
    [InlineData("""[""]""", "not")]
    public void In_documents_it_is_an_array_of_names(string json, string? expected)
    {
        if (expected == "not")
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<ScopeSet>(json)).Message.ShouldStartWith(json[0] == '[' ? "A scope is" : "Scopes are");
        else if (expected is null)
            JsonSerializer.Deserialize<ScopeSet>(json).ShouldBeNull();
        else
            JsonSerializer.Serialize(JsonSerializer.Deserialize<ScopeSet>(json)).ShouldBe(expected);
    }
}
