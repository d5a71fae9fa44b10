using System.CommandLine;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using ProxyGateway.Connecting;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.Operating;

namespace ProxyGateway.Forwarding;

/// <summary><c>proxygateway forward --listen 127.0.0.1:7420 &lt;url&gt;</c>: proofs for clients that know nothing of them.</summary>
internal static class ForwardCommand
{
    private static readonly Argument<string[]> Urls = new("url")
    {
        Description = "The agent's URL at the gateway, as in https://gate.example/agent; several, with a --listen for each",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string[]> Listen = new("--listen")
    {
        Description = $"Where local clients come: an address of loopback ({ForwardAddress.Default} without it), h2c: before it for HTTP/2 as gRPC speaks it, or unix: and a path. The first is for the first URL, and so on",
        HelpName = "address",
    };

    private static readonly Option<string?> Token = new("--token") { Description = "A token that local clients must show in Authorization: Bearer; or @ and a file with it", HelpName = "token" };

    private static readonly Option<bool> AnyUser = new("--any-user") { Description = "Serve every user of this machine, and not only that of this process" };

    public static Command Build()
    {
        var command = new Command("forward", "Forward local clients to an agent behind a gateway, as this machine's device")
        {
            Urls, Listen, IdentityFile.Option, Authorities.Option, ConnectCommand.Role, OperatorCommand.ScopesOption, Token, AnyUser,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        Uri[] urls = [.. parsed.GetRequiredValue(Urls).Select(ReadUrl)];
        ForwardAddress[] addresses = ReadAddresses(parsed, urls.Length);
        ForwardToken? token = ForwardToken.Read(parsed.GetValue(Token));
        ConnectAsk ask = ConnectCommand.ReadAsk(parsed, urls[0], token: null);
        using DeviceIdentity identity = IdentityFile.Open(parsed);
        var claims = new ProofClaims
        {
            Role = ask.Role,
            Scopes = ask.Scopes,
            Client = new ClientClaim { Id = "cli", DisplayName = $"proxygateway forward on {Environment.MachineName}", Platform = ClientClaim.CurrentPlatform, Mode = "forward" },
        };
        ForwardListener[] listeners = [.. addresses.Zip(urls, (address, url) => NewListener(address, url, identity, claims, ask.Trusted))];
        try
        {
            await ForwardHost.RunAsync(listeners, token, new LocalUsers(parsed.GetValue(AnyUser)));
            return ExitCodes.Ok;
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"The forwarder cannot listen: {e.Message}");
        }
        finally
        {
            Array.ForEach(listeners, listener => listener.Target.Dispose());
        }
    }

    private static ForwardListener NewListener(ForwardAddress address, Uri url, DeviceIdentity identity, ProofClaims claims, X509Certificate2Collection? trusted)
    {
        var target = new ForwardTarget(address, url, identity, claims, trusted);
        return new ForwardListener(target, new ForwardWatch(target, DeviceFingerprint.Of(identity.Id)));
    }

    private static ForwardAddress[] ReadAddresses(ParseResult parsed, int count)
    {
        string[] texts = parsed.GetValue(Listen) is { Length: > 0 } given ? given : [ForwardAddress.Default];
        return texts.Length == count
            ? Array.ConvertAll(texts, ForwardAddress.Parse)
            : throw new CommandFailedException(ExitCodes.Usage, $"There are {count} URLs and {texts.Length} addresses to listen on; name one --listen for each URL, in the same order");
    }

    private static Uri ReadUrl(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || url.Query.Length > 0 || url.Fragment.Length > 0 || url.UserInfo.Length > 0)
            throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is no URL of an agent, as in https://gate.example/agent");
        return url.Scheme == "https" || url.IsLoopback
            ? url
            : throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is not encrypted: others could act as this device. Use https");
    }
}
