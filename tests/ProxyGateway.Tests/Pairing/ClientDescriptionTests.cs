using System.Text;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

public sealed class ClientDescriptionTests
{
    [Theory]
    [InlineData("Anna's phone", "Anna's phone")]
    [InlineData("  padded\t", "padded")]
    [InlineData("two\r\nlines", "twolines")]
    [InlineData("\u001B[31mred", "[31mred")]
    [InlineData("a\u202Etxt.exe", "atxt.exe")] // right-to-left override
    [InlineData("a\u2066b\u2069c\u200Fd", "abcd")] // isolates and marks
    [InlineData("zero\u200Bwidth\uFEFF", "zerowidth")]
    [InlineData("line\u2028paragraph\u2029", "lineparagraph")]
    [InlineData("private\uE000use", "privateuse")]
    [InlineData("unassigned\u0378", "unassigned")]
    [InlineData("tag\U000E0041", "tag")]
    [InlineData("grüße 😀", "grüße 😀")]
    [InlineData("\u0000\u0007", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void A_devices_description_becomes_plain_text(string? said, string? shown)
    {
        ClientDescription description = ClientDescription.Sanitize(said, said, said, said);

        description.ShouldBe(new ClientDescription(shown, shown, shown, shown));
    }

    [Fact]
    public void A_description_is_cut_without_splitting_a_character()
    {
        string shown = ClientDescription.Sanitize(null, new string('x', 99) + "😀", null, null).DisplayName!;

        shown.ShouldBe(new string('x', 99));
    }

    [Theory]
    [InlineData(101, "", 100)]
    [InlineData(1000, "", 100)]
    [InlineData(99, "é", 100)]
    [InlineData(98, "😀", 100)]
    [InlineData(100, "é", 100)]
    public void A_description_has_100_characters_at_most(int length, string behind, int kept)
    {
        string said = new string('x', length) + behind;

        SafeText.Of(said).ShouldBe(said[..kept]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public void A_usual_text_is_not_copied(int length)
    {
        string said = new('x', length);

        SafeText.Of(said).ShouldBeSameAs(said);
    }

    [Property(MaxTest = 500)]
    public void Any_description_becomes_harmless_text(char[] said)
    {
        string? shown = ClientDescription.Sanitize(null, new string(said), null, null).DisplayName;

        (shown is null || (shown.Length is > 0 and <= 100 && shown.EnumerateRunes().All(r => r != Rune.ReplacementChar && !Rune.IsControl(r)))).ShouldBeTrue();
    }
}
