using ProxyGateway.Serving;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>How the process's handles are shared out.</summary>
public sealed class FileHandlesTests
{
    [Theory]
    [InlineData(20_000, 280, 9_764, 128)]
    [InlineData(1024, 280, 276, 128)]
    [InlineData(400, 280, 21, 14)]
    [InlineData(300, 280, 8, 8)]
    public void The_limits_keep_a_handle_for_each_backend_connection_and_some_for_operators(int limit, int used, int connections, int operators)
    {
        FileHandles shares = FileHandles.Share(limit, used);

        (shares.Connections, shares.Operators).ShouldBe((connections, operators));
        if (limit > used + FileHandles.Kept + 24)
            (used + FileHandles.Kept + (2 * shares.Connections) + shares.Operators).ShouldBeLessThanOrEqualTo(limit);
    }

    [Theory]
    [InlineData("Max open files            400                  4096                 files     ", 400)]
    [InlineData("Max open files            unlimited            unlimited            files     ", int.MaxValue)]
    [InlineData("Max open files            5000000000           5000000000           files     ", int.MaxValue)]
    [InlineData("Max processes             400                  4096                 processes ", null)]
    [InlineData("Max open files            many", null)]
    public void The_limit_is_read_as_the_kernel_prints_it(string line, int? limit) => FileHandles.ReadLimit(["Limit  Soft Limit", line]).ShouldBe(limit);
}
