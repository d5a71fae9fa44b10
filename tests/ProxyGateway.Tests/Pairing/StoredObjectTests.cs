using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>An object of a document keeps the members of newer gateways; other objects ignore them.</summary>
public sealed class StoredObjectTests
{
    private static readonly JsonSerializerOptions Documents = new()
    {
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { StoredObject.KeepUnknown } },
    };

    [Theory]
    [InlineData("""{"At":"2026-11-22T10:00:00+00:00","By":"ops"}""")]
    [InlineData("""{"At":"2026-11-22T10:00:00+00:00","By":"ops","later":{"n":1.50},"":[null]}""")]
    public void A_stored_object_is_written_with_the_members_that_it_was_read_with(string json) =>
        JsonSerializer.Serialize(JsonSerializer.Deserialize<Block>(json, Documents), Documents).ShouldBe(json);

    [Fact]
    public void Another_object_is_written_without_members_that_it_does_not_know() =>
        JsonSerializer.Serialize(JsonSerializer.Deserialize<Other>("""{"Address":null,"later":1}""", Documents), Documents).ShouldBe("""{"Address":null}""");

    private sealed record Other(string? Address);
}
