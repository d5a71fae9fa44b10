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
    public void Each_budget_holds_independently()
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
    public void A_place_that_is_disposed_of_twice_is_freed_once()
    {
        HandshakePlace first = Take("a", "x", Few);
        HandshakePlace second = Take("a", "x", Few);

        Parallel.For(0, 8, _ => first.Dispose());
        Parallel.For(0, 8, _ => first.LeaveDestination());

        _budgets.InUse.ShouldBe(1);
        second.Dispose();
        _budgets.InUse.ShouldBe(0);
        Take("a", "x", Few).Speak();
        Take("a", "x", Few).Speak();
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
    public void The_oldest_silent_handshake_of_the_client_with_most_is_evicted()
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
    public void A_client_with_as_many_places_evicts_only_its_own()
    {
        HandshakePlace[] places = [.. Enumerable.Range(0, 6).Select(i => Take(i % 2 == 0 ? "a" : "b", "x", Eight))];
        places[1].Speak();

        HandshakePlace own = Take("b", "x", Eight);

        places[3].GivesWay.IsCancellationRequested.ShouldBeTrue();
        places[5].Speak();
        own.Speak();
        Refuse("b", "x", Eight).ShouldBe(BudgetScope.Destination, "what it holds has spoken");
        Take("c", "x", Eight);
    }

    [Fact]
    public void Within_a_client_the_oldest_silent_handshake_is_evicted_and_none_that_has_sent_its_connect()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 3, HandshakesPerDestination = 100 };
        HandshakePlace speaking = Take("a", "x", limits);
        speaking.Speak();
        HandshakePlace oldest = Take("a", "x", limits);
        HandshakePlace younger = Take("a", "y", limits);

        HandshakePlace newcomer = Take("a", "x", limits);

        oldest.GivesWay.IsCancellationRequested.ShouldBeTrue();
        new[] { speaking, younger, newcomer }.ShouldAllBe(p => !p.GivesWay.IsCancellationRequested);
        _budgets.InUse.ShouldBe(3);
        younger.Speak();
        newcomer.Speak();
        Refuse("a", "x", limits).ShouldBe(BudgetScope.Address);
    }

    [Fact]
    public void A_client_that_evicts_its_own_has_a_bounded_number_of_connections_to_the_backend()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 3 };

        int taken = Enumerable.Range(0, 100).Count(_ => Refuse("a", "x", limits) == BudgetScope.None);

        taken.ShouldBe(7, "four that are leaving");
        _budgets.InUse.ShouldBe(3);
    }

    [Fact]
    public void A_delayed_refusal_is_evicted_first_even_if_its_client_has_few()
    {
        DeviceAuthLimits limits = Eight with { Handshakes = 8, HandshakesPerDestination = 1000 };
        HandshakePlace silent = Take("heavy", "x", limits);
        for (int i = 0; i < 3; i++)
            Take("heavy", "x", limits);
        HandshakePlace first = HoldBack("a", limits);
        HandshakePlace second = HoldBack("b", limits);

        Take("new", "x", limits);
        first.GivesWay.IsCancellationRequested.ShouldBeTrue();
        Take("new", "x", limits);
        second.GivesWay.IsCancellationRequested.ShouldBeTrue();
        silent.GivesWay.IsCancellationRequested.ShouldBeFalse();
        Take("new", "x", limits);
        silent.GivesWay.IsCancellationRequested.ShouldBeTrue();
        _budgets.InUse.ShouldBe(6);
    }

    [Fact]
    public void Each_user_of_this_machine_has_places_within_those_of_all_users()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2, HandshakesPerDestination = 1000 };

        for (int user = 0; user < 4; user++)
        {
            Take(User(user), "x", limits).Speak();
            Take(User(user), "x", limits).Speak();
            Refuse(User(user), "x", limits).ShouldBe(BudgetScope.Address);
        }

        Refuse(User(1000), "x", limits).ShouldBe(BudgetScope.Address, "all users together have four times as much as one");
        Take("192.0.2.1", "x", limits);
    }

    [Fact]
    public void The_last_quarter_of_a_block_is_for_the_part_of_it_that_paired_devices_come_from()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2, HandshakesPerDestination = 1000 };
        Familiarity stranger = Familiar(1); // of the block, a paired device came; not of this user
        for (int i = 0; i < 6; i++)
            Take(User(i / 2), "x", limits, stranger).Speak();

        Refuse(User(7), "x", limits, stranger).ShouldBe(BudgetScope.Address);
        Take(User(8), "x", limits, Familiar(0, 1)).Speak();
        Take(User(8), "x", limits, Familiar(0, 1)).Speak();
    }

    [Fact]
    public void Among_users_the_one_with_most_loses_a_place_and_no_familiar_one_to_a_stranger()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2, HandshakesPerDestination = 1000 };
        HandshakePlace[] familiar = [.. Enumerable.Range(0, 2).Select(_ => Take(User(0), "x", limits, Familiar(0, 1)))];
        HandshakePlace light = Take(User(1), "x", limits, Familiar(1));
        HandshakePlace[] heavy = [.. Enumerable.Range(0, 2).Select(_ => Take(User(2), "x", limits, Familiar(1)))];
        Take(User(3), "x", limits, Familiar(1));

        Take(User(4), "x", limits, Familiar(1));

        heavy[0].GivesWay.IsCancellationRequested.ShouldBeTrue();
        familiar.Append(light).Append(heavy[1]).ShouldAllBe(p => !p.GivesWay.IsCancellationRequested);
    }

    [Fact]
    public void A_48_cannot_fill_all_places_with_any_number_of_64s()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2, HandshakesPerDestination = 1000 };

        int taken = 0;
        for (int i = 0; i < 65_536; i += 64)
        {
            if (_budgets.TryTake(Site(i), default, "x", limits, out HandshakePlace place) == BudgetScope.None)
            {
                place.Speak();
                taken++;
            }
        }

        taken.ShouldBe(32, "sixteen times as much as a /64");
        Enumerable.Range(0, 256).Count(i => Refuse(Site(i), "x", limits) == BudgetScope.None).ShouldBe(0);
        foreach (int other in (int[])[70_000, 140_000])
            Take(Site(other), "x", limits);
    }

    [Fact]
    public void A_stranger_does_not_evict_a_familiar_client_which_may_evict_a_stranger()
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
    public void At_most_four_evicted_handshakes_still_hold_connections_to_the_backend()
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

    [Fact]
    public void An_evicted_handshake_that_has_left_the_backend_leaves_one_place_there_and_no_more()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 8 };
        HandshakePlace[] heavy = [.. Enumerable.Range(0, 6).Select(_ => Take("heavy", "x", limits))];
        Take("new", "x", limits).Speak();

        heavy[0].LeaveDestination();

        heavy[0].GivesWay.IsCancellationRequested.ShouldBeTrue();
        foreach (HandshakePlace place in heavy)
            place.Speak();
        Refuse("another", "x", limits).ShouldBe(BudgetScope.Destination);
    }

    [Fact]
    public void A_place_whose_backend_is_gone_frees_one_place_there_and_no_more()
    {
        HandshakePlace first = Take("a", "x", Few with { Handshakes = 100 });
        Take("b", "x", Few with { Handshakes = 100 }).Speak();
        first.LeaveDestination();
        first.LeaveDestination();
        first.Dispose();

        Take("c", "x", Few with { Handshakes = 100 }).Speak();
        Take("d", "x", Few with { Handshakes = 100 }).Speak();
        Refuse("e", "x", Few with { Handshakes = 100 }).ShouldBe(BudgetScope.Destination);
    }

    [Fact]
    public void For_a_place_at_a_backend_none_gives_way_that_is_not_there()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 8 };
        HandshakePlace elsewhere = Take("heavy", "y", limits);
        HandshakePlace gone = Take("heavy", "x", limits);
        gone.LeaveDestination();
        HandshakePlace[] there = [.. Enumerable.Range(0, 6).Select(_ => Take("heavy", "x", limits))];

        Take("new", "x", limits);

        new[] { elsewhere, gone }.Concat(there).Select(p => p.GivesWay.IsCancellationRequested).ShouldBe([false, false, true, false, false, false, false, false]);
    }

    // Of eight places strangers have six. Who holds them all, who comes, and whether one of them gives way.
    [Theory]
    [InlineData(nameof(BudgetScope.Destination), false, false, true)]
    [InlineData(nameof(BudgetScope.Destination), true, false, false)]
    [InlineData(nameof(BudgetScope.Destination), true, true, true)]
    [InlineData(nameof(BudgetScope.All), false, false, true)]
    [InlineData(nameof(BudgetScope.All), true, false, false)]
    [InlineData(nameof(BudgetScope.All), true, true, true)]
    public void A_familiar_client_gives_way_to_a_familiar_one_alone(string scope, bool isHolderFamiliar, bool isNewcomerFamiliar, bool givesWay)
    {
        DeviceAuthLimits limits = scope == nameof(BudgetScope.All)
            ? new() { HandshakesPerAddress = 8, HandshakesPerDestination = 1000, Handshakes = 8 }
            : new() { HandshakesPerAddress = 8, HandshakesPerDestination = 8, Handshakes = 1000 };
        HandshakePlace[] places = [.. Enumerable.Range(0, isNewcomerFamiliar ? 8 : 6).Select(_ => Take("holder", "x", limits, isHolderFamiliar))];

        Refuse("new", "x", limits, isNewcomerFamiliar).ToString().ShouldBe(givesWay ? nameof(BudgetScope.None) : scope);

        places.Count(p => p.GivesWay.IsCancellationRequested).ShouldBe(givesWay ? 1 : 0);
    }

    [Fact]
    public void A_familiar_user_may_evict_another_familiar_user()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2, HandshakesPerDestination = 1000 };
        HandshakePlace[] places = [.. Enumerable.Range(0, 8).Select(i => Take(User(i / 2), "x", limits, Familiar(0, 1)))];

        Take(User(9), "x", limits, Familiar(0, 1));

        places.Count(p => p.GivesWay.IsCancellationRequested).ShouldBe(1);
    }

    [Fact]
    public void For_a_place_among_users_no_client_gives_way_that_is_none()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2, HandshakesPerDestination = 1000 };
        HandshakePlace other = Take("192.0.2.1", "x", limits);
        HandshakePlace[] users = [.. Enumerable.Range(0, 8).Select(i => Take(User(i / 2), "x", limits))];

        Take(User(9), "x", limits);

        other.GivesWay.IsCancellationRequested.ShouldBeFalse();
        users.Count(p => p.GivesWay.IsCancellationRequested).ShouldBe(1);
    }

    [Fact]
    public void Clients_of_one_block_are_compared_as_far_as_both_have_budgets()
    {
        DeviceAuthLimits limits = Eight with { HandshakesPerAddress = 2 };
        var block = new Client([new("loopback", 4)], Host: 0);
        HandshakePlace[] places = [.. Enumerable.Range(0, 6).Select(_ => Take(block, "x", limits))];

        Take(User(1), "x", limits);

        places[0].GivesWay.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void Clients_and_backends_without_handshakes_are_not_remembered()
    {
        for (int i = 0; i < 100; i++)
            Take(User(i), $"backend {i}", Few).Dispose();

        _budgets.Remembered.ShouldBe(0);
        Take(User(1), "x", Few);
        _budgets.Remembered.ShouldBe(3);
    }

    /// <summary>
    /// Whatever happens in whatever order: no budget is overdrawn, strangers leave the kept quarter of a block, no place gives way once its client has
    /// spoken, and once all is over nothing is taken.
    /// </summary>
    [Property(MaxTest = 300)]
    public Property Every_place_of_a_handshake_is_freed() => Prop.ForAll(
        Gen.Choose(0, 5).SelectMany(operation => Gen.Choose(0, 11).Select(which => (operation, which))).ListOf().ToArbitrary(),
        operations =>
        {
            DeviceAuthLimits limits = Few with { Handshakes = 9, HandshakesPerDestination = 8 };
            var budgets = new HandshakeBudgets();
            var places = new List<HandshakePlace>();
            var spoken = new HashSet<HandshakePlace>();
            var over = new HashSet<HandshakePlace>();
            foreach ((int operation, int which) in operations)
            {
                HandshakePlace? place = places.Count == 0 ? null : places[which % places.Count];
                switch (operation)
                {
                    case 0 or 5 when budgets.TryTake(User(which % 6), which % 6 == 0 ? Familiar(0, 1) : Familiar(1), $"{which % 2}", limits, out HandshakePlace taken) == BudgetScope.None:
                        places.Add(taken);
                        break;
                    case 1 when place is not null && !place.GivesWay.IsCancellationRequested:
                        place.Speak();
                        spoken.Add(place);
                        break;
                    case 2:
                        place?.LeaveDestination();
                        break;
                    case 3 when place is not null:
                        place.Dispose();
                        over.Add(place);
                        break;
                    case 4 when place is not null && !spoken.Contains(place):
                        place.HoldBack();
                        break;
                }

                HandshakePlace[] held = [.. places.Where(p => !over.Contains(p) && !p.GivesWay.IsCancellationRequested)];
                budgets.InUse.ShouldBe(held.Length, "given back exactly once");
                held.Length.ShouldBeLessThanOrEqualTo(limits.Handshakes);
                held.GroupBy(p => p.Client.Keys[0].Name).ShouldAllBe(g => g.Count() <= limits.HandshakesPerAddress);
                held.Count(p => !p.Familiarity[0]).ShouldBeLessThanOrEqualTo(6, "of the eight of all users, two are kept");
                spoken.ShouldAllBe(p => !p.GivesWay.IsCancellationRequested);
            }

            places.ForEach(p => p.Dispose());
            budgets.InUse.ShouldBe(0);
            for (int i = 0; i < 3; i++)
                budgets.TryTake(User(i), Familiar(0, 1), "0", limits, out _).ShouldBe(BudgetScope.None, "the destination's places are back, too");
        });

    private static Client User(int id) => new([new($"loopback user {id}", 1), new("loopback", 4)], Host: 0);

    private static Client Site(int network) => new(
        [new($"{network}::1", 1), new($"{network}/64", 1), new($"{network / 256}/56", 4), new($"{network / 65_536}/48", 16)], Host: 1);

    private static Familiarity Familiar(params int[] keys) => new(keys.Aggregate(0u, (bits, key) => bits | (1u << key)));

    private HandshakePlace HoldBack(string client, DeviceAuthLimits limits)
    {
        HandshakePlace place = Take(client, "x", limits);
        place.Speak();
        place.LeaveDestination();
        place.HoldBack();
        return place;
    }

    private HandshakePlace Take(string client, string destination, DeviceAuthLimits limits, bool isFamiliar = false) =>
        Take(new Client([new(client, 1)], Host: 0), destination, limits, isFamiliar ? Familiar(0) : default);

    private HandshakePlace Take(Client client, string destination, DeviceAuthLimits limits, Familiarity familiarity = default)
    {
        _budgets.TryTake(client, familiarity, destination, limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
        return place;
    }

    private BudgetScope Refuse(string client, string destination, DeviceAuthLimits limits, bool isFamiliar = false) =>
        Refuse(new Client([new(client, 1)], Host: 0), destination, limits, isFamiliar ? Familiar(0) : default);

    private BudgetScope Refuse(Client client, string destination, DeviceAuthLimits limits, Familiarity familiarity = default) =>
        _budgets.TryTake(client, familiarity, destination, limits, out _);

    // A reload lowers a limit below what is taken: nobody is evicted for a newcomer who would not fit all the same.
    [Theory]
    [InlineData(5, 1000, 1000, nameof(BudgetScope.None))]
    [InlineData(4, 1000, 1000, nameof(BudgetScope.Address))]
    [InlineData(1000, 6, 1000, nameof(BudgetScope.None))]
    [InlineData(1000, 5, 1000, nameof(BudgetScope.Destination))]
    [InlineData(1000, 1000, 6, nameof(BudgetScope.None))]
    [InlineData(1000, 1000, 5, nameof(BudgetScope.All))]
    [InlineData(1000, 5, 5, nameof(BudgetScope.Destination))]
    public void Where_more_is_taken_than_may_be_nobody_gives_way(int perAddress, int perDestination, int all, string expected)
    {
        HandshakePlace[] places = [.. Enumerable.Range(0, 5).Select(_ => Take("a", "x", Eight))]; // of six, strangers have five; of five, four
        DeviceAuthLimits lowered = new() { HandshakesPerAddress = perAddress, HandshakesPerDestination = perDestination, Handshakes = all };

        Refuse("a", "x", lowered).ToString().ShouldBe(expected);

        places.Count(p => p.GivesWay.IsCancellationRequested).ShouldBe(expected == nameof(BudgetScope.None) ? 1 : 0);
    }

    [Fact]
    public void Where_two_budgets_of_a_client_have_more_taken_than_may_be_nobody_gives_way()
    {
        HandshakePlace[] places = [.. Enumerable.Range(0, 5).Select(_ => Take(User(1), "x", Eight))];

        Refuse(User(1), "x", Eight with { HandshakesPerAddress = 1 }).ShouldBe(BudgetScope.Address, "of its own by four, and of all users by one");

        places.ShouldAllBe(p => !p.GivesWay.IsCancellationRequested);
    }

    [Theory]
    [InlineData(4, 3)]
    [InlineData(1000, 6)]
    public void Of_two_bounds_in_all_the_lower_one_holds(int most, int taken)
    {
        var budgets = new HandshakeBudgets(() => most);
        DeviceAuthLimits limits = new() { HandshakesPerAddress = 1000, HandshakesPerDestination = 1000, Handshakes = 8 };
        for (int i = 0; i < 20; i++)
        {
            if (budgets.TryTake(new Client([new($"{i}", 1)], Host: 0), default, "x", limits, out HandshakePlace place) == BudgetScope.None)
                place.Speak();
        }

        budgets.InUse.ShouldBe(taken, "without the quarter that is kept");
    }
}
