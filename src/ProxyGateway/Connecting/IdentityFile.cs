using System.CommandLine;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting;

/// <summary>The file with the key of this command line's device.</summary>
internal static class IdentityFile
{
    public static Option<string> Option { get; } = new("--identity")
    {
        Description = "The file with the device's key; made if it does not exist",
        DefaultValueFactory = _ => DeviceIdentity.DefaultPath,
        HelpName = "file",
    };

    /// <summary>The device in the file, which is made if it does not exist.</summary>
    /// <exception cref="CommandFailedException">It cannot be read or made, or others than its owner can read, write or replace it.</exception>
    public static DeviceIdentity Open(ParseResult parsed)
    {
        string path = parsed.GetRequiredValue(Option);
        try
        {
            DeviceAuth.Handshakes.Ed25519.EnsureSupported();
            return DeviceIdentity.LoadOrCreate(path);
        }
        catch (InvalidDataException e) when (e.InnerException is FormatException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"{path} is not a device's identity; delete it for a new one, or name another file with --identity");
        }
        catch (Exception e) when (e is InvalidDataException or PlatformNotSupportedException)
        {
            throw new CommandFailedException(ExitCodes.Refused, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"The identity file {path} cannot be read or made: {e.Message}");
        }
    }
}
