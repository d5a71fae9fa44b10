using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>A key of the configuration as a reader looks for it: the schema for editors is made of these.</summary>
/// <param name="Path">The key's full path.</param>
/// <param name="Form">The form of its value.</param>
/// <param name="Default">The value that counts without it; null if there is none.</param>
internal sealed record Setting(string Path, SettingForm Form, object? Default)
{
    /// <summary>The names of a <see cref="SettingForm.Choice"/>.</summary>
    public ImmutableArray<string> Choices { get; init; } = [];

    /// <summary>The range of a <see cref="SettingForm.Number"/>.</summary>
    public NumberRange? Numbers { get; init; }

    /// <summary>The range of a <see cref="SettingForm.Span"/>.</summary>
    public SpanRange? Spans { get; init; }
}
