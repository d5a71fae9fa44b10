using ProxyGateway.Operating;

namespace ProxyGateway.Tests.Operating;

public sealed class TextTableTests
{
    [Fact]
    public void Columns_are_as_wide_as_their_longest_cell()
    {
        Write(1000, ["DEVICE", "NAME"], ["a", "a long name"], ["1234567", ""]).ShouldBe(
        [
            "DEVICE   NAME         ",
            "a        a long name  ",
            "1234567               ",
        ]);
    }

    [Fact]
    public void Columns_without_names_have_no_line_for_them() => Write(1000, ["", ""], ["device", "1"]).ShouldBe(["device  1  "]);

    [Fact]
    public void What_is_shown_in_two_cells_counts_twice_and_a_mark_on_another_letter_not_at_all()
    {
        Write(1000, ["A", "B"], ["日本", "x"], ["e\u0301", "y"]).ShouldBe(
        [
            "A     B  ",
            "日本  x  ",
            "e\u0301     y  ",
        ]);
    }

    [Fact]
    public void The_widest_column_is_wrapped_between_words_where_the_terminal_is_narrow()
    {
        Write(28, ["DEVICE", "MAY BE"], ["12345678", "operator with admin, read"]).ShouldBe(
        [
            "DEVICE    MAY BE            ",
            "12345678  operator with     ",
            "          admin, read       ",
        ]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(20)]
    public void No_letter_is_lost_however_narrow_the_terminal_is(int width)
    {
        string[] lines = Write(width, ["DEVICE", "NAME", "MAY BE"], ["1234567890abcdef", "word-without-an-end and 日本語", "operator"]);

        string all = string.Concat(lines).Replace(" ", "", StringComparison.Ordinal);
        all.Order().ShouldBe("DEVICENAMEMAYBE1234567890abcdefword-without-an-endand日本語operator".Order());
    }

    [Fact]
    public void The_names_of_columns_are_bold_where_that_is_wanted()
    {
        var table = new TextTable("A", "B");
        table.Add("1", "2");
        using var text = new StringWriter();

        table.Write(text, 80, isBold: true);

        text.ToString().ShouldStartWith("\e[1mA\e[0m  \e[1mB\e[0m  ");
        text.ToString().ShouldContain($"{Environment.NewLine}1  2  {Environment.NewLine}");
    }

    private static string[] Write(int width, string[] header, params string[][] rows)
    {
        var table = new TextTable(header);
        foreach (string[] row in rows)
            table.Add(row);
        using var text = new StringWriter();
        table.Write(text, width, isBold: false);
        return text.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }
}
