using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ProxyGateway.IntegrationTests;

/// <summary>
/// Files that tests write are writable by their owner alone, whichever user runs the tests: where the umask is 002, as on many desktops, the command
/// line would refuse a test's <c>appsettings.json</c> as one that others may write.
/// </summary>
internal static partial class UsualUmask
{
    private const uint OwnerAloneWrites = 0b000_010_010; // 022

#pragma warning disable CA2255 // of a test assembly, which nobody else loads
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Set()
    {
        if (!OperatingSystem.IsWindows())
            _ = SetUmask(OwnerAloneWrites);
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetUmask(uint mask);
}
