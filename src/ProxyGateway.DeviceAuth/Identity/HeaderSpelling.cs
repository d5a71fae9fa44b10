using System.Diagnostics.CodeAnalysis;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>
/// Compares names of headers as the laxest backend does. CGI, WSGI and their like read a header as <c>HTTP_X_DEVICE_ID</c>: for most servers an underscore is
/// then a hyphen, for some any other sign as well.
/// </summary>
internal sealed class HeaderSpelling : IEqualityComparer<string>
{
    private HeaderSpelling()
    {
    }

    /// <summary>The comparer.</summary>
    public static HeaderSpelling Lax { get; } = new();

    /// <inheritdoc/>
    public bool Equals(string? x, string? y)
    {
        if (x is null || y is null || x.Length != y.Length)
            return ReferenceEquals(x, y);
        for (int i = 0; i < x.Length; i++)
        {
            if (Fold(x[i]) != Fold(y[i]))
                return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public int GetHashCode([DisallowNull] string obj)
    {
        int hash = 0;
        foreach (char c in obj)
            hash = (hash * 31) + Fold(c);
        return hash;
    }

    private static char Fold(char c) => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '-';
}
