using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Connections of another user of this machine.</summary>
internal static partial class OtherUser
{
    /// <summary>By convention nobody; there need be no such user.</summary>
    public const uint Id = 65534;

    /// <summary>A TCP connection of a process of the other user, which relays between it and the stream.</summary>
    public static Stream Connect(IPEndPoint endpoint)
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
            $"--reuid={Id}", "--clear-groups",
            "bash", "-c", $"exec 3<>/dev/tcp/{endpoint.Address}/{endpoint.Port}; cat <&3 & cat >&3; kill $!",
        ])
        {
            start.ArgumentList.Add(argument);
        }

        return new ProcessStream(Process.Start(start)!);
    }

    /// <summary>A connection to a Unix socket by the other user. On a thread of its own, whose user alone is changed.</summary>
    public static Stream Connect(UnixDomainSocketEndPoint endpoint)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                SetUser(Id);
                socket.Connect(endpoint);
            }
            catch (SocketException e)
            {
                failure = e;
            }
            finally
            {
                SetUser(0);
            }
        });
        thread.Start();
        thread.Join();
        failure.ShouldBeNull();
        return new NetworkStream(socket, ownsSocket: true);
    }

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
public sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            Skip = "Only root on Linux can act as another user.";
    }
}
