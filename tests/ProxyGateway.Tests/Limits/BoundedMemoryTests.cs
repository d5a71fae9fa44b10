using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Limits;

public sealed class BoundedMemoryTests
{
    [Fact]
    public void The_number_of_remembered_clients_is_bounded_and_the_longest_unseen_is_forgotten_first()
    {
        var memory = new BoundedMemory<object>(2);
        object first = memory.See("a", () => new object());
        object second = memory.See("b", () => new object());
        memory.See("a", () => new object()).ShouldBeSameAs(first);

        memory.See("c", () => new object());

        memory.Count.ShouldBe(2);
        memory.TryGet("a", out object known).ShouldBeTrue();
        known.ShouldBeSameAs(first);
        memory.TryGet("b", out _).ShouldBeFalse();
        memory.See("b", () => new object()).ShouldNotBeSameAs(second);
        memory.Count.ShouldBe(2);
    }

    [Fact]
    public void A_value_that_must_not_be_forgotten_is_kept()
    {
        var memory = new BoundedMemory<string>(2, mayForget: v => v != "kept");
        memory.See("a", () => "kept");
        memory.See("b", () => "b");

        memory.See("c", () => "c");

        memory.Count.ShouldBe(2);
        memory.TryGet("a", out _).ShouldBeTrue();
        memory.TryGet("b", out _).ShouldBeFalse();
    }
}
