namespace ProxyGateway.Operating;

/// <summary>Finds the item with a shortened id.</summary>
internal static class IdPrefix
{
    /// <summary>Enough to find an item of a list; too few where an attacker can choose the id.</summary>
    public const int MinLength = 8;

    public static string Resolve(string prefix, string what, string list, IEnumerable<string> ids, int minLength = MinLength)
    {
        if (prefix.Length < minLength)
            throw new CommandFailedException(ExitCodes.Usage, $"'{prefix}' is too short: the id of a {what} can be shortened to {minLength} characters here");
        string[] found = [.. ids.Where(id => id.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))];
        return found switch
        {
            [string one] => one,
            [] => throw new CommandFailedException(ExitCodes.Refused, $"No {what} has an id that begins with '{prefix}'; see: proxygateway {list}"),
            _ => throw new CommandFailedException(ExitCodes.Refused, $"'{prefix}' may mean {string.Join(" or ", found.Take(5))}; give more of the id"),
        };
    }
}
