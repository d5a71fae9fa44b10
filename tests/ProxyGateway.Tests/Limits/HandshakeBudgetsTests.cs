using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Limits;

public sealed class HandshakeBudgetsTests
{
    private static readonly DeviceAuthLimits Few = new() { HandshakesPerAddress = 2, HandshakesPerDestination = 3, Handshakes = 4 };
    private static readonly DeviceAuthLimits Eight = new() { HandshakesPerAddress = 6, HandshakesPerDestination = 8, Handshakes = 1000 };

    private readonly HandshakeBudgets _budgets = new();

    [Fact]
    public void Each_budget_holds_by_itself()
    {
        DeviceAuthLimits limits = Few with { Handshakes = 5 };
        Take("a", "x", limits).Speak();
        Take("a", "x", limits).Speak();

        Refuse("a", "y", limits).ShouldBe(BudgetScope.Address);
        Take("b", "x", limits).Speak();
        Refuse("c", "x", limits).ShouldBe(BudgetScope.Destination);
        Take("c", "y", limits).Speak();
        Refuse("d", "z", limits).ShouldBe(BudgetScope.All, "a quarter of five is one");
        _budgets.InUse.ShouldBe(4);
    }

    [Fact]
    public void A_place_is_given_back_once_however_often_it_is_disposed_of()
    {
        HandshakePlace first = Take("a", "x", Few);
        HandshakePlace second = Take("a", "x", Few);

        Parallel.For(0, 8, _ => first.Dispose());
        Parallel.For(0, 8, _ => first.LeaveDestination());

        _budgets.InUse.ShouldBe(1);
        second.Dispose();
        _budgets.InUse.ShouldBe(0);
        Take("a", "x", Few);
        Take("a", "x", Few);
        Refuse("a", "x", Few).ShouldBe(BudgetScope.Address);
    }

    [Theory]
    [InlineData("x")]
    [InlineData(null)]
    public void The_last_quarter_is_for_clients_whose_devices_are_paired(string? destination)
    {
        BudgetScope scope = destination is null ? BudgetScope.All : BudgetScope.Destination;
        DeviceAuthLimits limits = destination is null ? Eight with { Handshakes = 8, HandshakesPerDestination = 1000 } : Eight;
        for (int i = 0; i < 6; i++)
            Take($"stranger {i}", destination ?? $"{i}", limits).Speak();

        Refuse("another stranger", destination ?? "y", limits).ShouldBe(scope);
        Take("familiar", destination ?? "y", limits, isFamiliar: true).Speak();
        Take("familiar", destination ?? "y", limits, isFamiliar: true).Speak();
        Refuse("familiar", destination ?? "y", limits, isFamiliar: true).ShouldBe(scope);
    }

    [Fact]
    public void The_oldest_silent_handshake_of_the_heaviest_client_gives_way()
    {
        HandshakePlace light = Take("light", "x", Eight);
        HandshakePlace speaking = Take("heavy", "x", Eight);
        speaking.Speak();
        HandshakePlace oldest = Take("heavy", "x", Eight);
        HandshakePlace elsewhere = Take("heavy", "y", Eight);
        HandshakePlace[] later = [Take("heavy", "x", Eight), Take("heavy", "x", Eight), Take("heavy", "x", Eight)];

        HandshakePlace newcomer = Take("new", "x", Eight);

        oldest.GivesWay.IsCancellationRequested.ShouldBeTrue();
        new[] { light, speaking, elsewhere, newcomer }.Concat(later).ShouldAllBe(p => !p.GivesWay.IsCancellationRequested);
        _budgets.InUse.ShouldBe(7);
        oldest.Dispose();
        _budgets.InUse.ShouldBe(7, "it has lost its place already");
    }

    [Fact]
    public void Nobody_gives_way_to_a_client_that_holds_as_much()
    {
        for (int i = 0; i < 3; i++)
        {
            Take("a", "x", Eight);
            Take("b", "x", Eight);
        }

        Refuse("b", "x", Eight).ShouldBe(BudgetScope.Destination);
        Take("c", "x", Eight);
    }

    [Fact]
    public void A_familiar_client_does_not_give_way_to_a_stranger_but_a_stranger_to_it()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 8 };
        HandshakePlace[] familiar = [.. Enumerable.Range(0, 7).Select(_ => Take("familiar", "x", limits, isFamiliar: true))];
        Refuse("stranger", "x", limits).ShouldBe(BudgetScope.Destination);
        familiar.ShouldAllBe(p => !p.GivesWay.IsCancellationRequested);
        foreach (HandshakePlace place in familiar)
            place.Dispose();

        HandshakePlace[] strangers = [.. Enumerable.Range(0, 6).Select(_ => Take("stranger", "x", limits))];
        Take("familiar", "x", limits, isFamiliar: true);
        Take("familiar", "x", limits, isFamiliar: true);
        Take("familiar", "x", limits, isFamiliar: true);
        strangers.Count(p => p.GivesWay.IsCancellationRequested).ShouldBe(1);
    }

    [Fact]
    public void No_more_than_four_give_way_before_their_connections_to_the_backend_are_gone()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 40, HandshakesPerDestination = 40 };
        HandshakePlace[] heavy = [.. Enumerable.Range(0, 30).Select(_ => Take("heavy", "x", limits))];
        for (int i = 0; i < 4; i++)
            Take($"{i}", "x", limits);

        Refuse("5", "x", limits).ShouldBe(BudgetScope.Destination);

        heavy[0].LeaveDestination();
        Take("5", "x", limits);
        Refuse("6", "x", limits).ShouldBe(BudgetScope.Destination);
    }

    [Fact]
    public void A_place_whose_backend_is_gone_is_free_for_others_there()
    {
        HandshakePlace first = Take("a", "x", Few);
        Take("b", "x", Few).Speak();
        Take("c", "x", Few).Speak();
        first.Speak();
        Refuse("d", "x", Few).ShouldBe(BudgetScope.Destination);

        first.LeaveDestination();

        Take("d", "x", Few, isFamiliar: true);
        _budgets.InUse.ShouldBe(4);
    }

    /// <summary>Whatever happens in whatever order: no budget is overdrawn, and once all is over nothing is taken.</summary>
    [Property(MaxTest = 300)]
    public Property Every_place_comes_back() => Prop.ForAll(
        Gen.Choose(0, 3).SelectMany(deed => Gen.Choose(0, 11).Select(which => (deed, which))).ListOf().ToArbitrary(),
        deeds =>
        {
            var budgets = new HandshakeBudgets();
            var places = new List<HandshakePlace>();
            foreach ((int deed, int which) in deeds)
            {
                HandshakePlace? place = places.Count == 0 ? null : places[which % places.Count];
                switch (deed)
                {
                    case 0 when budgets.TryTake($"{which % 3}", which % 2 == 0, $"{which % 2}", Few, out HandshakePlace taken) == BudgetScope.None:
                        places.Add(taken);
                        break;
                    case 1:
                        place?.Speak();
                        break;
                    case 2:
                        place?.LeaveDestination();
                        break;
                    case 3:
                        place?.Dispose();
                        break;
                }

                budgets.InUse.ShouldBeInRange(0, Few.Handshakes);
            }

            places.ForEach(p => p.Dispose());
            budgets.InUse.ShouldBe(0);
            for (int i = 0; i < 3; i++)
                budgets.TryTake($"{i}", isFamiliar: true, "0", Few, out _).ShouldBe(BudgetScope.None, "the destination's places are back, too");
        });

    private HandshakePlace Take(string client, string destination, DeviceAuthLimits limits, bool isFamiliar = false)
    {
        _budgets.TryTake(client, isFamiliar, destination, limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
        return place;
    }

    private BudgetScope Refuse(string client, string destination, DeviceAuthLimits limits, bool isFamiliar = false) =>
        _budgets.TryTake(client, isFamiliar, destination, limits, out _);
}
