using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>Ids of requests sort by age, and cannot be guessed.</summary>
public sealed class RequestIdTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, 123, TimeSpan.Zero);

    [Fact]
    public void An_id_begins_with_its_time()
    {
        RequestId.New(DateTimeOffset.UnixEpoch).ToString().ShouldStartWith("0000000000");
        RequestId.New(DateTimeOffset.UnixEpoch.AddMilliseconds(31)).ToString().ShouldStartWith("000000000z");
        RequestId.New(DateTimeOffset.UnixEpoch.AddMilliseconds((32 * 32) + 1)).ToString().ShouldStartWith("0000000101");
        foreach (DateTimeOffset time in (DateTimeOffset[])[DateTimeOffset.UnixEpoch, Start, DateTimeOffset.UnixEpoch.AddYears(1000)])
            RequestId.New(time).CreatedAt.ShouldBe(time);
    }

    [Fact]
    public void Later_ids_sort_behind_earlier_ones()
    {
        string[] ids = [.. Enumerable.Range(0, 100).Select(i => RequestId.New(Start.AddMilliseconds(i * 37)).ToString())];

        ids.Order(StringComparer.Ordinal).ShouldBe(ids);
    }

    [Fact]
    public void Each_of_the_16_digits_after_the_time_is_random()
    {
        string[] ids = [.. Enumerable.Range(0, 200).Select(_ => RequestId.New(Start).ToString())];

        ids.ShouldAllBe(id => id.Length == 26 && id.StartsWith(ids[0].Substring(0, 10)));
        for (int at = 10; at < 26; at++)
            ids.Select(id => id[at]).Distinct().Count().ShouldBeGreaterThan(16, $"digit {at}");
        string.Concat(ids).Distinct().ShouldBeSubsetOf("0123456789abcdefghjkmnpqrstvwxyz");
    }

    [Theory]
    [InlineData("0123456789abcdefghjkmnpqrs", true)]
    [InlineData("tvwxyz00000000000000000000", true)]
    [InlineData("0123456789abcdefghjkmnpqr", false)]
    [InlineData("0123456789abcdefghjkmnpqrst", false)]
    [InlineData("0123456789abcdefghjkmnpqrS", false)]
    [InlineData("i123456789abcdefghjkmnpqrs", false)]
    [InlineData("l123456789abcdefghjkmnpqrs", false)]
    [InlineData("o123456789abcdefghjkmnpqrs", false)]
    [InlineData("u123456789abcdefghjkmnpqrs", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void An_id_is_26_digits_of_which_no_two_look_alike(string? text, bool isOne)
    {
        RequestId.TryParse(text, out RequestId id).ShouldBe(isOne);
        string json = JsonSerializer.Serialize(text);
        if (isOne)
        {
            id.ToString().ShouldBe(text);
            RequestId.Parse(text!).ShouldBe(id);
            JsonSerializer.Deserialize<RequestId>(json).ShouldBe(id);
            JsonSerializer.Serialize(id).ShouldBe(json);
        }
        else
        {
            id.ShouldBe(default);
            Should.Throw<InvalidOperationException>(() => id.ToString());
            Should.Throw<FormatException>(() => RequestId.Parse(text!));
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<RequestId>(json));
        }
    }
}
