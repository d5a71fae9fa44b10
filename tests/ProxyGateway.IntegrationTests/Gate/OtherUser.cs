using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Connections of another user of this machine.</summary>
internal static partial class OtherUser
{
    /// <summary>There need be no such user. Not 65534, which stands for every user that the kernel cannot tell.</summary>
    public const uint Id = 65533;

    /// <summary>Makes a file or folder the other user's.</summary>
    public static void Give(string path, uint user = Id)
    {
        using Process chown = Process.Start("chown", [$"{user}", path]);
        chown.WaitForExit();
        chown.ExitCode.ShouldBe(0);
    }

    /// <summary>A TCP connection of a process of the other user, which relays between it and the stream.</summary>
    public static Stream Connect(IPEndPoint endpoint, uint user = Id)
    {
        var start = new ProcessStartInfo("setpriv")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = "/",
        };
        foreach (string argument in (string[])
        [
            $"--reuid={user}", "--clear-groups",
            "bash", "-c", $"exec 3<>/dev/tcp/{endpoint.Address}/{endpoint.Port}; cat <&3 & cat >&3; kill $!",
        ])
        {
            start.ArgumentList.Add(argument);
        }

        return new ProcessStream(Process.Start(start)!);
    }

    /// <summary>A connection of a socket of the other user's.</summary>
    /// <param name="endpoint">Where to.</param>
    /// <param name="local">From which end; null: any.</param>
    /// <param name="user">The user; null: our own, on this very thread.</param>
    public static Socket ConnectSocket(EndPoint endpoint, IPEndPoint? local = null, uint? user = Id)
    {
        bool isUnix = endpoint.AddressFamily == AddressFamily.Unix;
        return user is { } other ? As(other, Connect) : Connect();

        Socket Connect()
        {
            var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp);
            if (local is not null)
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                socket.Bind(local);
            }

            socket.Connect(endpoint);
            return socket;
        }
    }

    /// <summary>Does something on a thread of its own, whose user alone is another's.</summary>
    public static T As<T>(uint user, Func<T> what) => OnThread(() =>
    {
        try
        {
            SetUser(user);
            return what();
        }
        finally
        {
            SetUser(0);
        }
    });

    /// <summary>Does something on a thread of its own.</summary>
    public static T OnThread<T>(Func<T> what)
    {
        T result = default!;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = what();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return failure is null ? result : throw new InvalidOperationException("The other thread failed.", failure);
    }

    /// <summary>A connection to a Unix socket by the other user.</summary>
    public static Stream Connect(UnixDomainSocketEndPoint endpoint, uint user = Id) => new NetworkStream(ConnectSocket(endpoint, user: user), ownsSocket: true);

    // The C library's function would change the user of every thread.
    private static void SetUser(uint id) =>
        SystemCall(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 147 : 117, -1, id, -1).ShouldBe(0); // setresuid

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, long real, long effective, long saved);

    private sealed class ProcessStream(Process process) : Stream
    {
        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            process.StandardOutput.BaseStream.ReadAsync(buffer, cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await process.StandardInput.BaseStream.WriteAsync(buffer, cancellationToken);
            await process.StandardInput.BaseStream.FlushAsync(cancellationToken);
        }

        public override async ValueTask DisposeAsync()
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync();
            process.Dispose();
            await base.DisposeAsync();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}

/// <summary>A test that has to act as another user.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            Skip = "Only root on Linux can act as another user.";
    }
}

/// <summary>A test that has to act as another user.</summary>
public sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            Skip = "Only root on Linux can act as another user.";
    }
}
