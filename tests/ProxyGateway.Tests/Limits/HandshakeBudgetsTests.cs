using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Limits;

public sealed class HandshakeBudgetsTests
{
    private static readonly DeviceAuthLimits Limits = new() { HandshakesPerAddress = 2, HandshakesPerDestination = 3, Handshakes = 4 };

    [Fact]
    public void Each_budget_holds_by_itself()
    {
        var budgets = new HandshakeBudgets();
        Take(budgets, "a", "x").ShouldBe(BudgetScope.None);
        Take(budgets, "a", "x").ShouldBe(BudgetScope.None);

        Take(budgets, "a", "y").ShouldBe(BudgetScope.Address);
        Take(budgets, "b", "x").ShouldBe(BudgetScope.None);
        Take(budgets, "c", "x").ShouldBe(BudgetScope.Destination);
        Take(budgets, "c", "y").ShouldBe(BudgetScope.None);
        Take(budgets, "d", "z").ShouldBe(BudgetScope.All);
        budgets.InUse.ShouldBe(4);
    }

    [Fact]
    public void A_place_is_given_back_once_however_often_it_is_disposed_of()
    {
        var budgets = new HandshakeBudgets();
        budgets.TryTake("a", "x", Limits, out HandshakeBudgets.Place first);
        budgets.TryTake("a", "x", Limits, out HandshakeBudgets.Place second);

        Parallel.For(0, 8, _ => first.Dispose());

        budgets.InUse.ShouldBe(1);
        second.Dispose();
        budgets.InUse.ShouldBe(0);
        Take(budgets, "a", "x").ShouldBe(BudgetScope.None);
        Take(budgets, "a", "x").ShouldBe(BudgetScope.None);
        Take(budgets, "a", "x").ShouldBe(BudgetScope.Address);
    }

    private static BudgetScope Take(HandshakeBudgets budgets, string address, string destination) =>
        budgets.TryTake(address, destination, Limits, out _);
}
