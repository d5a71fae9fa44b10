using System.Globalization;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

public sealed class OperatingSystemUsersTests
{
    private readonly OperatingSystemUsers _users = new();

    [Fact]
    public void Every_user_of_the_password_file_is_found()
    {
        foreach (string[] fields in File.ReadLines("/etc/passwd").Select(l => l.Split(':')).Where(f => f.Length >= 3))
            _users.FindId(fields[0]).ShouldBe(uint.Parse(fields[2], CultureInfo.InvariantCulture));
    }

    [Fact]
    public void An_unknown_user_is_not_found() => _users.FindId("no-such-user-here").ShouldBeNull();

    [Fact]
    public void A_user_has_a_name() => Should.Throw<ArgumentException>(() => _users.FindId(""));

    [Fact]
    public void The_current_user_is_the_effective_one()
    {
        string[] ids = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t');
        _users.CurrentId.ShouldBe(uint.Parse(ids[2], CultureInfo.InvariantCulture));
    }
}
