namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The form of a setting's value.</summary>
internal enum SettingForm
{
    /// <summary>A text.</summary>
    Text,

    /// <summary>One of some names.</summary>
    Choice,

    /// <summary>True or false.</summary>
    Flag,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>A time span, [d.]hh:mm:ss.</summary>
    Span,

    /// <summary>64 hexadecimal digits.</summary>
    Sha256,

    /// <summary>A list of texts.</summary>
    List,

    /// <summary>Role -> scopes.</summary>
    ScopesByRole,

    /// <summary>A list of audiences.</summary>
    Audiences,
}
