using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests;

public sealed class LogTextTests
{
    [Fact]
    public void Scopes_in_the_log_are_a_few_and_a_count()
    {
        LogText.Of(ScopeSet.Empty).ShouldBeEmpty();
        LogText.Of(ScopeSet.Of("b", "a")).ShouldBe("a b");
        LogText.Of(Many(8)).ShouldBe("s10 s11 s12 s13 s14 s15 s16 s17");
        LogText.Of(Many(64)).ShouldBe("s10 s11 s12 s13 s14 s15 s16 s17 and 56 more");
        LogText.Of(ScopeSet.Of(Enumerable.Range(10, 64).Select(i => $"s{i}{new string('x', 125)}"))).Length.ShouldBeLessThan(1100);

        static ScopeSet Many(int count) => ScopeSet.Of(Enumerable.Range(10, count).Select(i => $"s{i}"));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("/agent", "/agent")]
    [InlineData("/a\nb", "/a%0Ab")]
    public void A_short_path_is_logged_whole(string path, string text) => LogText.Of(new PathString(path)).ShouldBe(text);

    [Theory]
    [InlineData("x")]
    [InlineData("\n")]
    [InlineData("\U0001F600")]
    public void A_long_path_is_cut(string piece)
    {
        string text = LogText.Of(new PathString("/" + string.Concat(Enumerable.Repeat(piece, 8000))));

        text.Length.ShouldBe(259);
        text.ShouldEndWith("...");
        text.ShouldAllBe(c => char.IsAscii(c) && !char.IsControl(c));
    }

    [Fact]
    public void An_exception_is_logged_with_its_message_and_its_cause()
    {
        LogText.Of(new IOException("gone")).ShouldBe("IOException: gone");
        LogText.Of(new IOException("gone", new InvalidOperationException("?", new TimeoutException("late")))).ShouldBe("IOException: gone <- TimeoutException: late");
        LogText.Of(new IOException(new string('a', 9000), new TimeoutException(new string('b', 9000)))).Length.ShouldBeLessThan(600);
    }
}
