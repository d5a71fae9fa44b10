using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The requested part of a list: <c>limit</c> and <c>cursor</c>.</summary>
internal readonly record struct PageQuery(int Limit, string? Cursor)
{
    public const int DefaultLimit = 50;
    public const int MaxLimit = AdminJson.MaxPageItems;
    public const int MaxCursorLength = 512;

    public static bool TryRead(IQueryCollection query, out PageQuery page)
    {
        page = default;
        int limit = DefaultLimit;
        if (query.TryGetValue("limit", out var limits)
            && (limits.Count != 1 || !int.TryParse(limits[0], NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > MaxLimit))
            return false;
        string? cursor = null;
        if (query.TryGetValue("cursor", out var cursors)
            && (cursors.Count != 1 || (cursor = cursors[0]) is not { Length: > 0 and <= MaxCursorLength }))
            return false;
        page = new PageQuery(limit, cursor);
        return true;
    }
}
