using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth;
using ProxyGateway.Serving;

namespace ProxyGateway.Tests.Serving;

public sealed class ConnectionBudgetTests
{
    private readonly List<string> _closed = [];
    private ConnectionLimits _limits = new(All: 6, PerAddress: 4);

    private ConnectionBudget Budget => field ??= new ConnectionBudget(() => _limits);

    [Fact]
    public void An_address_has_a_bounded_share_and_its_own_idle_connection_is_closed_for_its_next()
    {
        ConnectionPlace[] places = [.. Enumerable.Range(0, 4).Select(i => Enter("a", $"a{i}"))];
        places[0].TryBeginRequest().ShouldBeTrue();

        Enter("a", "a4");
        Enter("b", "b0");

        _closed.ShouldBe(["a1"], "the oldest without a request");
        Budget.Connections.ShouldBe(5);
    }

    [Fact]
    public void A_connection_with_a_request_under_way_is_never_closed_for_another()
    {
        for (int i = 0; i < 4; i++)
            Enter("a", $"a{i}").TryBeginRequest().ShouldBeTrue();

        Refuse("a").ShouldBe(ConnectionScope.Address);
        for (int i = 0; i < 2; i++)
            Enter("b", $"b{i}").TryBeginRequest().ShouldBeTrue();
        Refuse("c").ShouldBe(ConnectionScope.All);

        _closed.ShouldBeEmpty();
    }

    [Fact]
    public void After_its_request_a_connection_can_be_closed_for_another()
    {
        ConnectionPlace[] places = [.. Enumerable.Range(0, 4).Select(i => Enter("a", $"a{i}"))];
        foreach (ConnectionPlace place in places)
            place.TryBeginRequest();
        places[2].EndRequest();

        Enter("a", "a4");

        _closed.ShouldBe(["a2"]);
        places[2].TryBeginRequest().ShouldBeFalse("it is closed");
    }

    [Fact]
    public void When_all_places_are_taken_the_address_with_most_idle_connections_loses_one()
    {
        Enter("light", "light");
        for (int i = 0; i < 2; i++)
            Enter("middle", $"middle{i}");
        for (int i = 0; i < 3; i++)
            Enter("heavy", $"heavy{i}");

        Enter("new", "new");

        _closed.ShouldBe(["heavy0"]);
        Budget.Connections.ShouldBe(6);
    }

    [Fact]
    public void Streams_of_one_connection_count_like_connections()
    {
        ConnectionPlace many = Enter("a", "a");

        Enumerable.Range(0, 100).Count(_ => many.TryBeginRequest()).ShouldBe(4, "each may have a connection to the backend");

        ConnectionPlace other = Enter("b", "b");
        Enumerable.Range(0, 100).Count(_ => other.TryBeginRequest()).ShouldBe(2, "six in all");
        for (int i = 0; i < 4; i++)
            many.EndRequest();
        Budget.Requests.ShouldBe(2);
        other.TryBeginRequest().ShouldBeTrue();
    }

    [Fact]
    public void Requests_that_outlive_their_connection_count_until_they_end()
    {
        ConnectionPlace first = Enter("a", "a0");
        Enumerable.Range(0, 4).ShouldAllBe(_ => first.TryBeginRequest());

        first.Dispose();
        ConnectionPlace second = Enter("a", "a1");

        second.TryBeginRequest().ShouldBeFalse("its address has as many under way as it may");
        first.EndRequest();
        second.TryBeginRequest().ShouldBeTrue();
    }

    [Fact]
    public void The_limit_for_an_address_does_not_hold_for_a_proxy()
    {
        for (int i = 0; i < 6; i++)
            Budget.TryEnter("proxy", isBounded: false, () => { }, out ConnectionPlace _, out _).ShouldBe(ConnectionScope.None);

        Budget.Connections.ShouldBe(6);
    }

    [Fact]
    public void Lowered_limits_close_no_connection_and_accept_no_new_one()
    {
        for (int i = 0; i < 4; i++)
            Enter("a", $"a{i}");

        _limits = new ConnectionLimits(2, 2);

        Refuse("b").ShouldBe(ConnectionScope.All);
        _closed.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(null, null, 1000, 1000, 750)]
    [InlineData(100, null, 1000, 100, 75)]
    [InlineData(5000, 5000, 1000, 1000, 1000)]
    [InlineData(100, 10, 1000, 100, 10)]
    [InlineData(1, null, 1000, 1, 1)]
    public void The_data_ports_limits_fit_the_file_handles(int? all, int? perAddress, int room, int expectedAll, int expectedPerAddress) =>
        ConnectionLimits.Of(new DeviceAuthLimits { Connections = all, ConnectionsPerAddress = perAddress }, room)
            .ShouldBe(new ConnectionLimits(expectedAll, expectedPerAddress));

    /// <summary>Whatever happens in whatever order: no limit is overdrawn, who has a request is not closed, and once all is over nothing is taken.</summary>
    [Property(MaxTest = 300)]
    public Property Every_place_of_a_connection_is_freed() => Prop.ForAll(
        Gen.Choose(0, 4).SelectMany(operation => Gen.Choose(0, 11).Select(which => (operation, which))).ListOf().ToArbitrary(),
        operations =>
        {
            var limits = new ConnectionLimits(All: 4, PerAddress: 2);
            var budget = new ConnectionBudget(() => limits);
            var places = new List<ConnectionPlace>();
            var busy = new Dictionary<ConnectionPlace, int>();
            var gone = new HashSet<ConnectionPlace>();
            var left = new HashSet<ConnectionPlace>(); // of itself, with requests under way or not
            var blocks = new Dictionary<ConnectionPlace, int>();
            foreach ((int operation, int which) in operations)
            {
                ConnectionPlace? place = places.Count == 0 ? null : places[which % places.Count];
                switch (operation)
                {
                    case 0 or 1:
                        ConnectionPlace? self = null;
                        if (budget.TryEnter($"{which % 3}", isBounded: true, () => gone.Add(self!), out ConnectionPlace taken, out _) == ConnectionScope.None)
                        {
                            places.Add(self = taken);
                            blocks[taken] = which % 3;
                        }

                        break;
                    case 2 when place?.TryBeginRequest() == true:
                        gone.Union(left).ShouldNotContain(place);
                        busy[place] = busy.GetValueOrDefault(place) + 1;
                        break;
                    case 3 when place is not null && busy.GetValueOrDefault(place) > 0:
                        place.EndRequest();
                        busy[place]--;
                        break;
                    case 4 when place is not null:
                        place.Dispose();
                        left.Add(place);
                        break;
                }

                busy.Where(b => b.Value > 0 && gone.Contains(b.Key)).ShouldBeEmpty();
                budget.Connections.ShouldBe(places.Count - gone.Union(left).Count());
                budget.Connections.ShouldBeInRange(0, limits.All);
                budget.Requests.ShouldBe(busy.Values.Sum());
                foreach (IGrouping<int, int> block in busy.GroupBy(b => blocks[b.Key], b => b.Value))
                    block.Sum().ShouldBeLessThanOrEqualTo(limits.PerAddress);
            }

            foreach ((ConnectionPlace place, int requests) in busy)
            {
                for (int i = 0; i < requests; i++)
                    place.EndRequest();
            }

            places.ForEach(p => p.Dispose());
            places.ForEach(p => p.Dispose());
            budget.Connections.ShouldBe(0);
            budget.Requests.ShouldBe(0);
        });

    private ConnectionPlace Enter(string block, string name)
    {
        Budget.TryEnter(block, isBounded: true, () => _closed.Add(name), out ConnectionPlace place, out _).ShouldBe(ConnectionScope.None);
        return place;
    }

    private ConnectionScope Refuse(string block) => Budget.TryEnter(block, isBounded: true, () => { }, out _, out _);
}
