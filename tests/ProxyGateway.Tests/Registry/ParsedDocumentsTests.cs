using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;

namespace ProxyGateway.Tests.Registry;

/// <summary>A document is parsed again unless it has the very bytes of last time, and what is kept for that is bounded.</summary>
public sealed class ParsedDocumentsTests
{
    private readonly ParsedDocuments _parsed = new();
    private readonly DeviceRecord _record = Some.Paired(Some.Claim("operator", "operator.read"), DateTimeOffset.UnixEpoch);

    [Fact]
    public void Only_the_very_bytes_of_the_device_have_its_record()
    {
        DeviceId other = Some.Claim().Device;
        _parsed.Find(_record.Id, [1, 2, 3]).ShouldBeNull();
        _parsed.Keep([1, 2, 3], _record);

        _parsed.Find(_record.Id, [1, 2, 3]).ShouldBeSameAs(_record);
        _parsed.Find(_record.Id, [1, 2, 4]).ShouldBeNull();
        _parsed.Find(_record.Id, [1, 2, 3, 4]).ShouldBeNull();
        _parsed.Find(_record.Id, [1, 2]).ShouldBeNull();
        _parsed.Find(other, [1, 2, 3]).ShouldBeNull();
    }

    [Fact]
    public void A_device_has_one_document_its_last()
    {
        DeviceRecord next = _record with { Label = "later" };
        _parsed.Keep([1, 2, 3], _record);
        _parsed.Keep([4, 5], next);

        _parsed.Find(_record.Id, [1, 2, 3]).ShouldBeNull();
        _parsed.Find(_record.Id, [4, 5]).ShouldBeSameAs(next);
        _parsed.Bytes.ShouldBe(2);
    }

    [Fact]
    public void Documents_of_devices_that_are_not_paired_push_none_out()
    {
        _parsed.Keep([1, 2, 3], _record);
        DeviceRecord asking = _record with { Id = Some.Claim().Device, Grants = _record.Grants.Clear() };
        _parsed.Keep([1, 2, 3], asking);

        _parsed.Find(asking.Id, [1, 2, 3]).ShouldBeNull();
        _parsed.Bytes.ShouldBe(3);
        _parsed.Keep([4], _record with { Grants = _record.Grants.Clear() });
        _parsed.Bytes.ShouldBe(0, "it is no longer paired");
    }

    [Fact]
    public void What_is_kept_is_bounded_and_the_longest_unused_goes_first()
    {
        byte[] document = new byte[ParsedDocuments.MostOfOne];
        _parsed.Keep(new byte[document.Length + 1], _record);
        _parsed.Bytes.ShouldBe(0, "a large document is parsed each time");
        DeviceRecord[] records = [.. Enumerable.Range(0, (ParsedDocuments.MostBytes / document.Length) + 1).Select(_ => _record with { Id = Some.Claim().Device })];
        foreach (DeviceRecord record in records[..^1])
            _parsed.Keep(document, record);
        _parsed.Bytes.ShouldBe(ParsedDocuments.MostBytes);
        _parsed.Find(records[0].Id, document).ShouldNotBeNull();

        _parsed.Keep(document, records[^1]);

        _parsed.Bytes.ShouldBe(ParsedDocuments.MostBytes);
        _parsed.Find(records[1].Id, document).ShouldBeNull();
        _parsed.Find(records[0].Id, document).ShouldBeSameAs(records[0]);
        _parsed.Find(records[^1].Id, document).ShouldBeSameAs(records[^1]);
    }
}
