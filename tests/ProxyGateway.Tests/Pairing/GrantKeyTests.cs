using System.Collections;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>Audiences, roles in them and sets of these, in documents and in order; and scopes in one text.</summary>
public sealed class GrantKeyTests
{
    [Theory]
    [InlineData("default", true)]
    [InlineData("a", true)]
    [InlineData("0", true)]
    [InlineData("z9._-", true)]
    [InlineData("Default", false)]
    [InlineData(".a", false)]
    [InlineData("_a", false)]
    [InlineData("-a", false)]
    [InlineData("a/b", false)]
    [InlineData("a b", false)]
    [InlineData("aB", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void An_audience_is_a_short_name_in_lower_case(string? text, bool isOne)
    {
        Audience.TryParse(text, out Audience audience).ShouldBe(isOne);
        string json = JsonSerializer.Serialize(text);
        if (isOne)
        {
            audience.ToString().ShouldBe(text);
            Audience.Parse(text!).ShouldBe(audience);
            JsonSerializer.Deserialize<Audience>(json).ShouldBe(audience);
            JsonSerializer.Serialize(audience).ShouldBe(json);
        }
        else
        {
            audience.ShouldBe(Audience.Default);
            Should.Throw<FormatException>(() => Audience.Parse(text!));
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Audience>(json)).Message.ShouldContain(Audience.Names);
        }
    }

    [Fact]
    public void An_audience_that_is_not_named_is_the_default_one()
    {
        (Audience.Default, default(Audience).ToString(), Audience.Parse("default").IsDefault, Audience.Parse("a").IsDefault).ShouldBe((default, "default", true, false));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Audience>("1")).Message.ShouldContain(Audience.Names);
    }

    // The default one comes first, and then they come by name.
    [Theory]
    [InlineData("default", "default", 0)]
    [InlineData("default", "a", -1)]
    [InlineData("a", "default", 1)]
    [InlineData("a", "b", -1)]
    [InlineData("b", "a", 1)]
    [InlineData("b", "b", 0)]
    [InlineData("b/x", "b/x", 0)]
    [InlineData("b/x", "b/y", -1)]
    [InlineData("b/y", "b/x", 1)]
    [InlineData("x", "b/a", -1)] // x of the default one
    [InlineData("c/a", "b/x", 1)]
    public void Audiences_and_their_roles_are_in_order(string left, string right, int order)
    {
        if (left.Contains('/', StringComparison.Ordinal) || right.Contains('/', StringComparison.Ordinal))
        {
            (GrantKey one, GrantKey other) = (Key(left), Key(right));
            Math.Sign(one.CompareTo(other)).ShouldBe(order);
            (one < other, one <= other, one > other, one >= other).ShouldBe((order < 0, order <= 0, order > 0, order >= 0));
        }
        else
        {
            (Audience one, Audience other) = (Audience.Parse(left), Audience.Parse(right));
            Math.Sign(one.CompareTo(other)).ShouldBe(order);
            (one < other, one <= other, one > other, one >= other).ShouldBe((order < 0, order <= 0, order > 0, order >= 0));
        }
    }

    // A role in an audience as text; whether it is one where it is a value, and where it is the name of a member, as in the documents of older versions.
    [Theory]
    [InlineData("operator", true, true)]
    [InlineData("work/operator", true, true)]
    [InlineData("default/operator", false, false)]
    [InlineData("Work/operator", false, false)]
    [InlineData("/operator", false, false)]
    [InlineData("work/", false, false)]
    [InlineData("work/a/b", false, false)]
    [InlineData("work/a b", false, false)]
    [InlineData("a b", false, true)]
    [InlineData("", false, true)]
    public void A_role_of_an_audience_has_one_text(string text, bool isValue, bool isMember)
    {
        string json = JsonSerializer.Serialize(text);
        GrantKey.TryParse(text, out GrantKey key).ShouldBe(isValue);
        if (isValue)
        {
            key.ToString().ShouldBe(text);
            key.Length.ShouldBe(text.Length);
            (key.Audience.IsDefault, key.Role).ShouldBe((!text.Contains('/', StringComparison.Ordinal), "operator"));
            JsonSerializer.Deserialize<GrantKey>(json).ShouldBe(key);
            JsonSerializer.Serialize(key).ShouldBe(json);
        }
        else
        {
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<GrantKey>(json)).Message.ShouldContain("audience/role");
        }

        if (isMember)
        {
            Dictionary<GrantKey, int> read = JsonSerializer.Deserialize<Dictionary<GrantKey, int>>($$"""{{{json}}:1}""")!;
            JsonSerializer.Serialize(read).ShouldBe($$"""{{{json}}:1}""");
        }
        else
        {
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Dictionary<GrantKey, int>>($$"""{{{json}}:1}"""));
            key.ShouldBe(default);
        }
    }

    [Fact]
    public void Null_and_a_number_are_no_role()
    {
        GrantKey.TryParse(null, out GrantKey key).ShouldBeFalse();
        key.ShouldBe(default);
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<GrantKey>("1")).Message.ShouldContain("audience/role");
    }

    [Fact]
    public void A_set_of_roles_is_sorted_without_repetitions_and_equal_by_content()
    {
        GrantKeySet set = GrantKeySet.Of(Key("work/a"), Key("b"), Key("work/a"), Key("a"));

        set.ToString().ShouldBe("a b work/a");
        set.Count.ShouldBe(3);
        ((IEnumerable)set).Cast<GrantKey>().ShouldBe([Key("a"), Key("b"), Key("work/a")]);
        (set.Contains(Key("a")), set.Contains(Key("work/a")), set.Contains(Key("work/b"))).ShouldBe((true, true, false));
        GrantKeySet same = GrantKeySet.Of(Key("a"), Key("b"), Key("work/a"));
        (set.Equals(same), set.Equals((object)same), set.GetHashCode() == same.GetHashCode()).ShouldBe((true, true, true));
        GrantKeySet other = GrantKeySet.Of(Key("a"), Key("b"));
        other.GetHashCode().ShouldNotBe(set.GetHashCode());
        (set.Equals(other), set.Equals((object)"a b work/a"), set.Equals((GrantKeySet?)null)).ShouldBe((false, false, false));
        GrantKeySet.Of().ShouldBeSameAs(GrantKeySet.Empty);
    }

    [Theory]
    [InlineData("[]", "[]")]
    [InlineData("""["work/b","a","work/b"]""", """["a","work/b"]""")]
    [InlineData("{}", null)]
    [InlineData("\"a\"", null)]
    [InlineData("[1]", null)]
    [InlineData("[null]", null)]
    [InlineData("""["a b"]""", null)]
    [InlineData("""["default/a"]""", null)]
    public void In_documents_a_set_is_an_array_of_roles(string json, string? expected)
    {
        if (expected is null)
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<GrantKeySet>(json)).Message.ShouldMatch("^(Roles are|A role of)");
        else
            JsonSerializer.Serialize(JsonSerializer.Deserialize<GrantKeySet>(json)).ShouldBe(expected);
    }

    // Scopes as OAuth writes them.
    [Theory]
    [InlineData(null, true, null)]
    [InlineData("", true, "")]
    [InlineData("b a b", true, "a b")]
    [InlineData("a  b", false, "")]
    [InlineData(" a", false, "")]
    [InlineData("a\tb", false, "")]
    [InlineData("a,b", false, "")]
    public void Scopes_have_one_blank_between_two(string? text, bool isOne, string? expected)
    {
        ScopeText.TryRead(text, out ScopeSet? scopes).ShouldBe(isOne);
        (scopes?.ToString()).ShouldBe(expected);
    }

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_text_has_64_scopes_at_most(int count, bool isOne) =>
        ScopeText.TryRead(string.Join(' ', Enumerable.Range(0, count).Select(i => $"s{i}")), out _).ShouldBe(isOne);

    private static GrantKey Key(string text) => GrantKey.TryParse(text, out GrantKey key) ? key : throw new FormatException(text);
}
