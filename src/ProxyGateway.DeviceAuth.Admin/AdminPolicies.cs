namespace ProxyGateway.DeviceAuth.Admin;

internal static class AdminPolicies
{
    public const string Read = "Admin.Read";
    public const string Decide = "Admin.Decide";
}
