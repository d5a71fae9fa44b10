namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>How objections are called in the log and the audit.</summary>
internal static class DevicelessObjectionNames
{
    /// <summary>The objection in a few words.</summary>
    public static string InWords(this DevicelessObjection objection) => objection switch
    {
        DevicelessObjection.NotLoopback => "not from loopback",
        DevicelessObjection.Browser => "a browser",
        DevicelessObjection.UnknownUser => "its user is not known",
        DevicelessObjection.OtherUser => "not one of the rule's Users",
        DevicelessObjection.SharedToken => "no or another shared token",
        DevicelessObjection.ActsForAnother => "it acts for somebody else",
        DevicelessObjection.Audience => "not one of the rule's Audiences",
        DevicelessObjection.Role => "a role beyond UpTo",
        DevicelessObjection.Scopes => "scopes beyond UpTo",
        DevicelessObjection.AdmissionFilters => "the application has admission filters",
        _ => throw new ArgumentOutOfRangeException(nameof(objection), objection, message: null),
    };
}
